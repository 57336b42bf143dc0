from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from code_core.config.check import dotted
from code_core.config.explain import explain, explain_all, known_path
from code_core.config.layers import Layer, LayerKind, deciding, located, merged, nested, values_at
from code_core.config.schema.file import ConfigFile

KEYS = ("a", "b", "c")
TABLES = st.recursive(
    st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
STACKS = st.lists(st.dictionaries(st.sampled_from(KEYS), TABLES, max_size=3), max_size=6)


def stack(tables: Sequence[dict[str, Any]]) -> list[Layer]:
    return [Layer(LayerKind.SETTING, f"layer {number}", table) for number, table in enumerate(tables)]


def leaves(table: Any, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(table, dict):
        return {at: table}
    return {path: value for key, item in table.items() for path, value in leaves(item, (*at, key)).items()}


@given(STACKS)
def test_every_value_comes_from_the_named_layer(tables: list[dict[str, Any]]) -> None:
    layers = stack(tables)
    for path, value in leaves(merged(layers)).items():
        layer = deciding(layers, path)
        assert layer is not None
        assert leaves(layer.table)[path] == value
        stronger = layers[layers.index(layer) + 1 :]
        assert all(path not in leaves(one.table) for one in stronger)


@given(STACKS)
def test_merging_in_two_steps_gives_the_same_result(tables: list[dict[str, Any]]) -> None:
    for at in range(len(tables) + 1):
        steps = stack([merged(stack(tables[:at])), *tables[at:]])
        assert merged(steps) == merged(stack(tables))


@given(STACKS)
def test_merging_does_not_change_the_layers(tables: list[dict[str, Any]]) -> None:
    layers = stack(tables)
    before = repr(layers)
    merged(layers)
    assert repr(layers) == before


SETTINGS: dict[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("model",): st.sampled_from(["m1", "m2"]),
    ("model_verbosity",): st.sampled_from(["low", "high"]),
    ("model_text_verbosity",): st.sampled_from(["low", "high"]),
    ("approval_policy",): st.sampled_from(["never", "untrusted"]),
    ("limits", "max_tool_calls"): st.integers(1, 5),
    ("limits", "max_total_tokens"): st.integers(1, 5),
    ("shell_environment_policy", "exclude"): st.lists(st.sampled_from(["A*", "B*"]), max_size=2),
    ("mcp_servers", "s", "command"): st.sampled_from(["x", "y"]),
    ("sandbox_workspace_write", "network_access"): st.booleans(),
}
LAYER = st.lists(
    st.sampled_from([*SETTINGS]).flatmap(lambda path: SETTINGS[path].map(lambda value: (path, value))),
    max_size=5,
)


@given(st.lists(LAYER, max_size=6))
def test_explain_names_the_deciding_layer(
    spelled: list[list[tuple[tuple[str, ...], Any]]],
) -> None:
    from code_core.config.spellings import canonical

    tables = [
        canonical(merged(stack([nested(path, value) for path, value in layer])), ConfigFile)
        for layer in spelled
    ]
    layers = stack(tables)
    effective = ConfigFile.model_validate(merged(layers))
    for path in SETTINGS:
        explanation = explain(layers, path)
        own = tuple(str(part) for part in known_path(path))
        used: Any = effective
        for part in own:
            used = used[part] if isinstance(used, dict) and part in used else getattr(used, part, None)
        assert explanation.value == used
        setting = [number for number, table in enumerate(tables) if own in leaves(table)]
        assert [found.layer.name for found in explanation.found] == [f"layer {n}" for n in reversed(setting)]
        if setting:
            assert explanation.found[0].value == explanation.value == leaves(tables[setting[-1]])[own]
    assert {found.path for found in explain_all(layers)} == {
        path for table in tables for path in leaves(table)
    }


def test_a_stronger_layer_that_replaces_a_table_hides_its_contents() -> None:
    layers = stack([{"a": {"b": 1}}, {"a": 5}])
    assert [*values_at(layers, ("a", "b"))] == []
    assert located(layers, ("a", "b")) == "layer 1"
    assert located(layers, ("x",)) == "the settings"


def test_items_of_arrays_have_a_location() -> None:
    layers = stack([{"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 3}]}])
    assert [found.value for found in values_at(layers, ("a", 1, "b"))] == [3]
    assert [found.value for found in values_at(layers, ("a", 0, "b"))] == [2, 1]


def test_keys_as_they_are_shown() -> None:
    assert dotted(known_path(("projects", "/a.b", "sandbox_mode"))) == 'projects."/a.b".sandbox_mode'
