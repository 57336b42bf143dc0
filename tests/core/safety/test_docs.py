import pytest

from code_core.config.project_settings import NOT_OF_A_PROJECT
from support.docs_tables import DOCS, FILES, TABLES, current, schema


@pytest.mark.parametrize("name", FILES)
def test_the_tables_of_the_documents_are_those_of_the_code(name: str) -> None:
    text = (DOCS / name).read_text()
    assert current(text) == text


def test_every_table_is_in_a_document() -> None:
    whole = "".join((DOCS / name).read_text() for name in FILES)
    assert all(f"<!-- table: {name} -->" in whole for name in TABLES)


def test_the_published_schema_is_that_of_the_settings() -> None:
    assert (DOCS / "config.schema.json").read_text() == schema()


def test_what_no_project_may_set_is_listed() -> None:
    text = (DOCS / "configuration.md").read_text()
    _, _, rest = text.partition("A project can never set ")
    assert set(rest.partition(".\n")[0].replace("`", "").split(", ")) == NOT_OF_A_PROJECT
