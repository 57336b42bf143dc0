import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.mcp_servers.names import qualified_name, qualified_names


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("docs", "search", "docs__search"),
        ("my-docs", "a.b/c d", "my-docs__a_b_c_d"),
        ("s", "t" * 61, f"s__{'t' * 61}"),
    ],
)
def test_a_tool_name_begins_with_the_name_of_its_server(server: str, tool: str, name: str) -> None:
    assert qualified_name(server, tool) == name


def test_a_name_that_is_too_long_ends_with_its_hash() -> None:
    one, other = qualified_name("s", "t" * 62), qualified_name("s", "t" * 63)
    assert re.fullmatch(r"s__t{21}[0-9a-f]{40}", one)
    assert one != other


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,80}", fullmatch=True), st.text(min_size=1, max_size=200))
def test_every_name_is_accepted_by_model_apis(server: str, tool: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", qualified_name(server, tool))


def test_colliding_names_become_distinct() -> None:
    tools = [("s", name) for name in ("a.b", "a_b", "a b", "a/b", "other")] + [("s__a", "c"), ("s", "a__c")]
    named = qualified_names(tools)
    assert sorted(named.values()) == sorted(tools)
    assert named["s__a_b"] == ("s", "a_b")
    assert named["s__other"] == ("s", "other")
    assert "s__a__c" not in named
    assert qualified_names(reversed(tools)) == named
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in named)


@given(
    st.sets(
        st.tuples(st.sampled_from(["s", "s_", "s__a"]), st.text("a_. /é", min_size=1, max_size=6)),
        max_size=40,
    )
)
def test_every_tool_has_a_name_of_its_own(tools: set[tuple[str, str]]) -> None:
    assert sorted(qualified_names(tools).values()) == sorted(tools)
