from code_core.wire.tool_specs import FreeformSpec, FunctionSpec


def test_a_freeform_tool_is_a_function_of_its_text() -> None:
    assert FreeformSpec("p", "edits", "start: x", "write x").as_function() == FunctionSpec(
        "p",
        "write x",
        {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
    )
