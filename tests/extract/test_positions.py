"""Is it said, or refused, where a run reads more tokens than its configuration has positions for?"""

import json

import pytest
from click.testing import CliRunner
from extract.models import CASES, prompt, token
from pages import Page

import lsim
from lsim.cli import cli
from lsim.errors import InputError
from lsim.extract.api import document_of, from_config, generation_of
from lsim.extract.config import Config
from lsim.report.blocks import Run
from lsim.report.page import page
from lsim.trace.generation import check

ROTARY = ["llama", "mistral", "qwen2", "mixtral"]
KEY = "max_position_embeddings"
NOTE = "The context of 9 tokens is longer than max_position_embeddings 8 of the config"


def config(name, **more):
    return Config({**CASES[name].fields, **more}, "config.json")


def about(conventions):
    return [line for line in conventions if KEY in line]


@pytest.mark.parametrize("name", ROTARY)
def test_is_it_said_of_one_token_too_many_by_a_model_of_rotary_positions(name):
    short, without = config(name, **{KEY: 8}), config(name)
    for request in (prompt(9, batch=2), token(9, batch=2)):
        trace = from_config(short, request)
        assert about(trace.conventions) == [NOTE]
        assert trace.sha256 == from_config(without, request).sha256
    for request in (prompt(8, batch=2), token(8)):
        assert not about(from_config(short, request).conventions)


@pytest.mark.parametrize("name", ROTARY)
@pytest.mark.parametrize(("size", "new"), [(9, 1), (8, 2), (5, 5), (1, 9)])
def test_is_it_said_once_of_a_generation_that_grows_so_long(name, size, new):
    """The last token is given at context prompt + new - 1."""
    short = config(name, **{KEY: 8})
    assert about(generation_of(short, prompt(1), size, new).conventions) == [NOTE]
    less = (size - 1, new) if new == 1 else (size, new - 1)
    assert not about(generation_of(short, prompt(1), *less).conventions)


@pytest.mark.parametrize("more", [{}, {KEY: None}])
def test_is_nothing_said_where_the_configuration_says_no_positions(more):
    assert not about(from_config(config("llama", **more), prompt(10**6)).conventions)


def test_is_nothing_said_of_an_image():
    assert not about(document_of(config("vit", **{KEY: 1}), CASES["vit"].request).conventions)


def test_are_positions_refused_that_are_no_number():
    with pytest.raises(InputError, match=f"config.json: {KEY}: must be a whole number from 1"):
        from_config(config("llama", **{KEY: "8"}), prompt(4))


@pytest.mark.parametrize(
    ("name", "key", "request_"),
    [
        ("gpt2", "n_positions", prompt(9)),
        ("gpt2", "n_positions", token(9)),
        ("bert", "max_position_embeddings", prompt(9)),
        ("whisper", "max_target_positions", prompt(9)),
        ("whisper", "max_target_positions", token(9)),
    ],
)
def test_is_a_table_of_positions_that_is_too_short_refused(name, key, request_):
    from_config(config(name, **{key: 9}), request_)
    with pytest.raises(InputError, match=rf"config\.json: {key}: 8 .*too few for 9 tokens"):
        from_config(config(name, **{key: 8}), request_)


@pytest.mark.parametrize(("name", "key"), [("gpt2", "n_positions"), ("whisper", "max_target_positions")])
@pytest.mark.parametrize(("size", "new"), [(9, 1), (8, 2), (5, 5), (1, 9)])
def test_is_a_generation_refused_that_outgrows_its_table(name, key, size, new):
    assert len(check(generation_of(config(name, **{key: 9}), prompt(1), size, new)).steps) == new
    with pytest.raises(InputError, match=rf"config\.json: {key}: 8 .*too few for 9 tokens"):
        generation_of(config(name, **{key: 8}), prompt(1), size, new)


def call(*arguments):
    done = CliRunner().invoke(cli, [str(word) for word in arguments])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    "sizes",
    [
        ("--tokens", 9),
        ("--phase", "decode", "--context", 9),
        ("--phase", "generate", "--prompt", 5, "--new", 5),
    ],
)
def test_do_the_commands_tell_it(tmp_path, sizes):
    source, out = tmp_path / "config.json", tmp_path / "t.jsonl"
    for most, told in ((8, True), (9, False)):
        source.write_text(json.dumps({**CASES["llama"].fields, KEY: most}))
        assert (f"note: {NOTE}" in call("trace", "from-config", source, *sizes, "-o", out)) is told
        assert (f"- {NOTE}" in call("trace", "show", out)) is told
        assert (f"positions {NOTE}" in call("run", out, "--arch", "lt-b-4bit")) is told


def test_does_the_page_of_a_run_tell_it():
    arch = lsim.load_arch("lt-b-4bit")
    for size, told in ((9, True), (8, False)):
        run = lsim.simulate(from_config(config("llama", **{KEY: 8}), prompt(size)), arch)
        assert (f"{NOTE}." in Page(page([Run("run", run)])).html) is told
