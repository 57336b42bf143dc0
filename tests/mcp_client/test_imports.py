import subprocess
import sys

HEAVY = ("mcp", "mcp_types", "anyio", "httpx2", "psutil")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import code_mcp_client, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_logs_nothing_unless_somebody_listens() -> None:
    code = "import code_mcp_client, logging; logging.getLogger('code_mcp_client').error('heard')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_every_public_name_exists() -> None:
    import code_mcp_client

    for name in code_mcp_client.__all__:
        assert getattr(code_mcp_client, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    import code_mcp_client

    assert not hasattr(code_mcp_client, "nonsense")
