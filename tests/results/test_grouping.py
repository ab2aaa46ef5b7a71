"""Are operators of equal layers taken together?"""

import lsim
from lsim.results.grouping import grouped, layerless


def test_are_operators_of_equal_layers_taken_together():
    assert layerless("layers.12.attn.qk") == "layers.*.attn.qk"
    assert layerless("layer12.qk") == "layer12.qk"
    result = lsim.simulate(lsim.load_trace("deit-tiny"), lsim.load_arch("lt-b-4bit"))
    groups = grouped(result.operators)
    assert sum(group.count for group in groups) == len(result.operators)
    assert sum(group.ticks for group in groups) == sum(run.end - run.start for run in result.operators)
    assert {group.count for group in groups} == {1, 12}
