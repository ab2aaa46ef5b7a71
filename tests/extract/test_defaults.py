"""What a configuration leaves out: as the configuration classes of Transformers have it."""

import pytest
from extract.models import DEFAULTS, left_out, prompt
from outline import outline

from lsim.extract.api import from_class, from_config
from lsim.extract.config import Config

FIELDS = [(kind, field) for kind, fields in DEFAULTS.items() for field in fields]


def lines(case):
    return outline(from_config(case.config, case.request))


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_is_a_model_the_same_that_leaves_a_default_out(kind, field):
    assert lines(left_out(kind, field)) == lines(left_out(kind))


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_are_these_the_defaults_of_transformers(kind, field):
    transformers = pytest.importorskip("transformers")
    case = left_out(kind, field)
    config = getattr(transformers, case.model).config_class.from_dict(dict(case.fields))
    assert getattr(config, field) == DEFAULTS[kind][field]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_is_a_model_recorded_as_it_is_built_that_leaves_a_field_out(kind, field):
    pytest.importorskip("transformers")
    case = left_out(kind, field)
    assert outline(from_class(case.model, case.config, case.request)) == lines(case)


@pytest.mark.parametrize(("kind", "missing", "null"), [("mistral", 4096, 0), ("mixtral", 0, 0)])
def test_is_a_window_that_is_null_none_and_one_that_is_missing_the_default(kind, missing, null):
    case = left_out(kind, "sliding_window")
    for fields, window in ((case.fields, missing), ({**case.fields, "sliding_window": None}, null)):
        trace = from_config(Config(fields), prompt(4100))
        assert {operator.window for operator in trace.operators if operator.causal} == {window}


@pytest.mark.parametrize("kind", ["llama", "mistral", "mixtral", "qwen2"])
def test_has_each_head_its_own_keys_where_their_number_is_null(kind):
    case = left_out(kind)
    null, all_of_them = ({**case.fields, "num_key_value_heads": heads} for heads in (None, 32))
    one, other = (from_config(Config(fields), case.request) for fields in (null, all_of_them))
    assert outline(one) == outline(other)
