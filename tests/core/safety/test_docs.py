import pytest

from support.docs_tables import DOCS, FILES, TABLES, current


@pytest.mark.parametrize("name", FILES)
def test_the_tables_of_the_documents_are_those_of_the_code(name: str) -> None:
    text = (DOCS / name).read_text()
    assert current(text) == text


def test_every_table_is_in_a_document() -> None:
    whole = "".join((DOCS / name).read_text() for name in FILES)
    assert all(f"<!-- table: {name} -->" in whole for name in TABLES)
