"""Names of the checks of patches, as settings and ops spell them."""

from typing import Literal

ValidationGroup = Literal["functional", "stylistic"]

ValidationTool = Literal[
    "json",
    "toml",
    "yaml",
    "python",
    "actionlint",
    "cargo-check",
    "eslint",
    "golangci-lint",
    "hadolint",
    "markdownlint",
    "markdownlint-cli2",
    "mypy",
    "phpstan",
    "prettier",
    "psalm",
    "pyright",
    "ruff",
    "shellcheck",
    "shfmt",
    "tsc",
    "yamllint",
]
