"""Whatever the layers set, `explain` shows the effective value and names its layer."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.config import load as load_module
from code_core.config.explain import explain
from code_core.config.layers import LayerKind
from code_core.config.load import Config, ConfigOverrides, load_config, read_settings
from code_core.config.overrides import key_path
from code_core.config.sources import read_sources
from code_core.protocol.policies import AskForApproval, SandboxMode
from support.repository import make_repository

Values = dict[str, Any]
Stack = dict[LayerKind, Values]

MODEL, URL = "model", "model_providers.openai.base_url"
APPROVAL, SANDBOX = "approval_policy", "sandbox_mode"
VERBOSITY, CALLS = "model_text_verbosity", "limits.max_tool_calls"
COMMAND = "mcp_servers.s.args"
PROVIDER = "model_provider"

USED: dict[str, Callable[[Config], Any]] = {
    MODEL: lambda config: config.model,
    APPROVAL: lambda config: config.approval_policy,
    SANDBOX: lambda config: config.sandbox_policy.mode,
    VERBOSITY: lambda config: config.preferences.verbosity,
    CALLS: lambda config: config.limits.max_tool_calls,
    COMMAND: lambda config: config.mcp_servers["s"].args if "s" in config.mcp_servers else None,
    URL: lambda config: config.provider.base_url,
    PROVIDER: lambda config: config.provider.id,
}
DEFAULTS = {MODEL: "gpt-5-codex", URL: "https://api.openai.com/v1", PROVIDER: "openai"}
"""What is used where no layer and no default of the schema says anything."""

FILE = (MODEL, APPROVAL, SANDBOX, VERBOSITY, CALLS, COMMAND, URL)
# What each layer can say, weakest first.
LAYERS: dict[LayerKind, tuple[str, ...]] = {
    LayerKind.ENVIRONMENT: (URL,),
    LayerKind.SYSTEM: FILE,
    LayerKind.USER: FILE,
    LayerKind.DIRECTORY: (APPROVAL, SANDBOX),
    LayerKind.PROFILE: FILE,
    LayerKind.PROJECT: FILE[:-1],
    LayerKind.SETTING: FILE,
    LayerKind.OPTION: (MODEL, APPROVAL, SANDBOX),
    LayerKind.CLIENT: FILE,
    LayerKind.REPLAY: (PROVIDER,),
}


def value(layer: LayerKind, key: str) -> st.SearchStrategy[Any]:
    match key:
        case "approval_policy":
            return st.sampled_from([one.value for one in AskForApproval])
        case "sandbox_mode":
            return st.sampled_from([one.value for one in SandboxMode])
        case "model_text_verbosity":
            return st.sampled_from(["low", "medium", "high"])
        case "limits.max_tool_calls":
            return st.integers(1, 99)
        case "mcp_servers.s.args":
            return st.lists(st.just(layer.name), max_size=2)
        case "model_providers.openai.base_url":
            return st.just(f"http://{layer.name.lower()}")
        case "model_provider":
            return st.just("replay")
        case _:
            return st.just(layer.value)


def layer_values(layer: LayerKind, keys: tuple[str, ...]) -> st.SearchStrategy[Values]:
    return st.fixed_dictionaries({}, optional={key: value(layer, key) for key in keys})


STACKS = st.fixed_dictionaries(
    {}, optional={layer: layer_values(layer, keys) for layer, keys in LAYERS.items()}
)


def toml(values: Values, table: str = "") -> str:
    start = f"{table}." if table else ""
    lines = [f"{start}{key} = {json.dumps(item)}\n" for key, item in values.items()]
    if COMMAND in values:
        lines.append(f'{start}mcp_servers.s.command = "true"\n')
    return "".join(lines)


@contextmanager
def written(stack: Stack) -> Iterator[tuple[ConfigOverrides, dict[str, str], Path]]:
    """Write the layers where the program reads them: overrides, environment, and the system's file."""
    folder = Path(tempfile.mkdtemp())
    try:
        home, system = folder / "home", folder / "system.toml"
        home.mkdir()
        project = make_repository(folder / "work")
        (project / ".code").mkdir()
        theirs = toml(stack.get(LayerKind.PROJECT, {}))
        (project / ".code/config.toml").write_text(theirs)
        digest = hashlib.sha256(theirs.encode()).hexdigest()
        table = f'projects."{project}"'
        ours = toml(stack.get(LayerKind.USER, {})) + "profiles.p = {}\n".replace("{}", "{ }")
        profile = toml(stack.get(LayerKind.PROFILE, {}), "profiles.p")
        ours = ours if not profile else ours.replace("profiles.p = { }\n", profile)
        ours += toml(stack.get(LayerKind.DIRECTORY, {}), table)
        ours += f'{table}.trust_level = "trusted"\n{table}.trusted_settings = "{digest}"\n'
        (home / "config.toml").write_text(ours)
        system.write_text(toml(stack.get(LayerKind.SYSTEM, {})))
        environ = {"CODE_HOME": str(home)}
        if URL in stack.get(LayerKind.ENVIRONMENT, {}):
            environ["OPENAI_BASE_URL"] = stack[LayerKind.ENVIRONMENT][URL]
        if stack.get(LayerKind.REPLAY):
            environ["CODE_REPLAY"] = str(folder / "scenario")
        options = stack.get(LayerKind.OPTION, {})
        overrides = ConfigOverrides(
            cwd=project,
            profile="p" if LayerKind.PROFILE in stack else None,
            model=options.get(MODEL),
            approval_policy=AskForApproval(options[APPROVAL]) if APPROVAL in options else None,
            sandbox_mode=SandboxMode(options[SANDBOX]) if SANDBOX in options else None,
            settings=settings_of(stack.get(LayerKind.SETTING, {})),
            client=settings_of(stack.get(LayerKind.CLIENT, {})),
        )
        yield overrides, environ, system
    finally:
        shutil.rmtree(folder)


def settings_of(values: Values) -> tuple[tuple[str, Any], ...]:
    more = (("mcp_servers.s.command", "true"),) if COMMAND in values else ()
    return (*values.items(), *more)


@settings(max_examples=150, deadline=None)
@given(STACKS)
def test_explain_names_the_deciding_layer(stack: Stack) -> None:
    with written(stack) as (overrides, environ, system), pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_module, "read_sources", partial(read_sources, system=system))
        config = load_config(overrides, environ)
        layers = read_settings(overrides, environ).layers
    for key, used in USED.items():
        if key == URL and config.provider.id == "replay":
            continue  # no provider is asked
        setting = [layer for layer in LAYERS if key in stack.get(layer, {})]
        explanation = explain(layers, key_path(key))
        assert [found.layer.kind for found in explanation.found] == setting[::-1], key
        if setting:
            assert used(config) == explanation.value == stack[setting[-1]][key]
        else:
            assert explanation.value in {used(config), None}
            assert used(config) in {explanation.value, DEFAULTS.get(key)}
