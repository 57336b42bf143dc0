import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.safety.credentials import NOT_SECRET, PROXIES, SECRET_NAMES, is_secret_name
from code_core.safety.environment import child_environment

FULL = {
    "PATH": "/bin",
    "HOME": "/h",
    "API_KEY": "k",
    "my_secret": "s",
    "TOKENS": "t",
    "EDITOR": "vi",
    "LANG": "C",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DB_PASSWORD", "x"), ("mysql_pwd", "x"), ("SMTP_PASS", "x"), ("GH_PASSPHRASE", "x")),
        *(("GITHUB_PAT", "x"), ("GOOGLE_APPLICATION_CREDENTIALS", "/x.json"), ("APP_COOKIE", "x")),
        *(
            ("HTTP_AUTHORIZATION", "x"),
            ("NPM_CONFIG__AUTH", "x"),
            ("SLACK_WEBHOOK_URL", "x"),
            ("PASSWD", "x"),
        ),
        *(("SENTRY_DSN", "x"), ("AZURE_STORAGE_CONNECTION_STRING", "x"), ("MY_JWT", "x"), ("WIFI_PSK", "x")),
        *(("DATABASE_URL", "postgres://u:pw@db/x"), ("MIRROR", "see https://:pw@host/ and others")),
        *(("REDIS", "redis://:pw@host:6379/0"), ("PIP_INDEX_URL", "https://u:p%40@host/simple")),
    ],
)
def test_variables_that_look_like_credentials_are_left_out(name: str, value: str) -> None:
    assert child_environment({name: value, "PATH": "/bin"}) == {"PATH": "/bin"}
    assert child_environment({name: value}, ignore_default_excludes=True) == {name: value}
    assert child_environment({name: value}, set_={name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("PWD", "/x"),
            ("OLDPWD", "/x"),
            ("INIT_CWD", "/x"),
            ("GIT_AUTHOR_NAME", "Ann"),
            ("GOPRIVATE", "x"),
        ),
        *(("SSH_AUTH_SOCK", "/x"), ("XAUTHORITY", "/x"), ("GPG_AGENT_INFO", "/x"), ("PATH", "/bin")),
        *(("TOKENIZERS_PARALLELISM", "true"), ("COMPAT", "1"), ("PATTERN", "x"), ("PYTHONPATH", "/x")),
        *(("HTTPS_PROXY", "http://u:pw@proxy:8080"), ("http_proxy", "http://u:pw@proxy:8080")),
        *(("HOMEPAGE", "https://example.com/a:b@c"), ("GIT_SSH", "ssh://git@host/x"), ("TIME", "12:30@home")),
    ],
)
def test_variables_that_builds_need_are_passed_on(name: str, value: str) -> None:
    assert child_environment({name: value}) == {name: value}


def test_the_documents_list_the_patterns() -> None:
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    assert [glob for glob in (*SECRET_NAMES, *NOT_SECRET, *PROXIES) if f"`{glob}`" not in page] == []


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ({}, {"PATH", "HOME", "EDITOR", "LANG"}),
        ({"inherit": "core"}, {"PATH", "HOME"}),
        ({"inherit": "none"}, set()),
        ({"ignore_default_excludes": True}, set(FULL)),
        ({"exclude": ["ed*"]}, {"PATH", "HOME", "LANG"}),
        ({"inherit": "none", "set_": {"X": "1", "NEW_KEY": "2"}}, {"X", "NEW_KEY"}),
        ({"include_only": ["PATH", "L*"]}, {"PATH", "LANG"}),
        ({"set_": {"X": "1"}, "include_only": ["PATH"]}, {"PATH"}),
        ({"ignore_default_excludes": True, "secrets": ["API_KEY"]}, set(FULL) - {"API_KEY"}),
        ({"set_": {"API_KEY": "again"}, "inherit": "none", "secrets": ["API_KEY"]}, set()),
    ],
)
def test_the_settings_are_applied_in_order(policy: dict[str, Any], names: set[str]) -> None:
    assert set(child_environment(FULL, **policy)) == names


def test_globs_match_without_regard_to_case_and_only_where_their_stars_are() -> None:
    names = (
        "xPASS",
        "PASS",
        "pass",
        "KEYBOARDS",
        "XKEYBOARD",
        "X_KEYMAP",
        "X_KEYMAPS",
        "XDG_SESSION_ID",
        "\u212aEY",
    )
    assert [name for name in names if is_secret_name(name)] == [
        "PASS",
        "pass",
        "XKEYBOARD",
        "X_KEYMAPS",
        "\u212aEY",
    ]
    globs = (*SECRET_NAMES, *NOT_SECRET)
    assert [glob for glob in globs if re.search(r"[?\[]|.\*.", glob)] == []


@given(st.text("KEY_PASDXG*tok\u017f", max_size=20) | st.sampled_from(["", "MY_TOKEN", "DB_PWD", "a_key_b"]))
def test_a_name_matches_as_its_globs_say(name: str) -> None:
    def matches(globs: tuple[str, ...]) -> bool:
        return any(fnmatchcase(name.casefold(), glob.casefold()) for glob in globs)

    assert is_secret_name(name) == (matches(SECRET_NAMES) and not matches(NOT_SECRET))
