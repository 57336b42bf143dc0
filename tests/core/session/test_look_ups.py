"""Read-only operations."""

from pathlib import Path

from code_core.config.load import Config
from code_core.protocol.ops import ListCustomPrompts
from core.session.scripted import Reading, ScriptedModel, converse, scripted_conversation


def test_custom_prompts_are_listed_with_warnings_about_ignored_files(config: Config, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"

    async def script(reading: Reading) -> None:
        await reading.send(ListCustomPrompts())
        empty = await reading.until("list_custom_prompts_response")
        assert (empty.custom_prompts, empty.warnings) == ([], [])
        folder.mkdir()
        (folder / "b.md").write_text("---\ndescription: about\nargument-hint: WHAT\n---\nDo $1\n")
        (folder / "a.md").write_text("# First line\n")
        (folder / "empty.md").write_text("")
        await reading.send(ListCustomPrompts())
        listed = await reading.until("list_custom_prompts_response")
        assert [one.model_dump(mode="json") for one in listed.custom_prompts] == [
            {
                "name": "a",
                "path": str(folder / "a.md"),
                "description": "First line",
                "argument_hint": None,
                "content": "# First line",
            },
            {
                "name": "b",
                "path": str(folder / "b.md"),
                "description": "about",
                "argument_hint": "WHAT",
                "content": "Do $1",
            },
        ]
        [warning] = listed.warnings
        assert "empty.md" in warning

    converse(scripted_conversation(config, ScriptedModel()), script)
