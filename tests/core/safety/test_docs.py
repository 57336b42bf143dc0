import pytest

from code_core.config.project_settings import NOT_OF_A_PROJECT
from support.docs_tables import DOCS, FILES, TABLES, current, schema


@pytest.mark.parametrize("name", FILES)
def test_the_tables_in_the_documents_are_up_to_date(name: str) -> None:
    text = (DOCS / name).read_text()
    assert current(text) == text


def test_every_generated_table_is_used_in_a_document() -> None:
    whole = "".join((DOCS / name).read_text() for name in FILES)
    assert all(f"<!-- table: {name} -->" in whole for name in TABLES)


def test_the_published_schema_is_up_to_date() -> None:
    assert (DOCS / "config.schema.json").read_text() == schema()


def test_the_keys_that_a_project_cannot_set_are_listed() -> None:
    text = (DOCS / "configuration.md").read_text()
    _, _, rest = text.partition("A project can never set ")
    assert set(rest.partition(".\n")[0].replace("`", "").split(", ")) == NOT_OF_A_PROJECT
