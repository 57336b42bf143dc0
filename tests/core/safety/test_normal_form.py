"""The spellings of a command have one normal form."""

import pytest

from code_core.safety.normal_form import begins_with, could_be, normal_form, program


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("git", "git"),
        ("/usr/bin/Git.EXE", "git"),
        ("npm.cmd", "npm"),
        ("a.exe.b", "a.exe.b"),
        ("/opt/a/b/grm", "rm"),
        ("gls", "gls"),
    ],
)
def test_program_names(word: str, name: str) -> None:
    assert program([word, "x"]) == name


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ("git push -f", "git push -f"),
        ("git", "git"),
        ("/usr/lib/git-core/git-push x", "git push x"),
        ("git -C . --git-dir=x push", "git push"),
        ("git -C . --unknown push", "git -C . --unknown push"),
        ("git send-pack x y", "git push x y"),
        ("git-stage x", "git add x"),
        ("git -C . stage x", "git add x"),
        ("docker-compose down x", "docker compose down x"),
        ("docker -D container rm x", "docker rm x"),
        ("podman container rm x", "podman rm x"),
        ("docker container", "docker"),
        ("cargo +nightly publish", "cargo publish"),
        ("cargo publish +x", "cargo publish +x"),
        ("cargo", "cargo"),
        ("npm +x y", "npm +x y"),
        ("ls -C x", "ls -C x"),
        ("g?t push", "git push"),
        ("x[i]t push", "x[i]t push"),
        ("[g]it -C . push", "git push"),
    ],
)
def test_normal_forms(words: str, form: str) -> None:
    assert normal_form(tuple(words.split()), ("git", "got")) == tuple(form.split())


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("push", True),
        ("pus?", True),
        ("p*", True),
        ("[p]ush", True),
        ("*", False),
        ("?us", False),
        ("pusx", False),
        ("p" + "*" * 254, True),
        ("p" + "*" * 255, True),
        ("p*" + "?" * 300, False),
        ("p" + "[u]" * 85, False),
    ],
)
def test_words_that_a_glob_could_match(word: str, expected: bool) -> None:
    assert could_be(word, "push") is expected


def test_a_word_of_any_length_matches_itself() -> None:
    assert could_be("?" * 300, "?" * 300)
    assert could_be("a*" + "x" * 253, "a" + "x" * 253)
    assert not could_be("a*" + "x" * 254, "a" + "x" * 254)


@pytest.mark.parametrize(
    ("words", "pattern", "expected"),
    [
        ("git push", "git push", True),
        ("git pull", "git push", False),
        ("git", "git push", False),
        ("/x/GIT push", "/usr/bin/Git push", True),
        ("hg push", "git push", False),
        # options between the words
        ("npm --silent publish", "npm publish", True),
        ("npm --prefix x publish", "npm publish", True),
        ("npm --prefix=x y publish", "npm publish", False),
        ("npm --prefix=x publish", "npm publish", True),
        ("npm -- x publish", "npm publish", False),
        ("npm -- publish", "npm publish", True),
        ("npm x publish", "npm publish", False),
        ("npm -a -b x publish", "npm publish", True),
        ("npm -a", "npm publish", False),
        ("aws --x s3 -y z rm q", "aws s3 rm", True),
        ("aws s3 x rm", "aws s3 rm", False),
        # abbreviated subcommands
        ("npm pub", "npm publish", True),
        ("npm pu", "npm publish", False),
        ("yarn pub", "yarn publish", False),
        ("npm publishx", "npm publish", False),
        # globs
        ("npm publis[h]", "npm publish", True),
        # names with the subcommand in them
        ("git push", "git-push", True),
        ("git -C x push", "git-push", True),
        ("git-push x", "git-push x", True),
        ("git pull", "git-push", False),
        ("docker compose down", "docker-compose down", True),
        ("docker-compose down", "docker-compose down", True),
        ("docker down", "docker-compose down", False),
        ("gi? push", "git-push", True),
        # other names in the pattern
        ("/usr/bin/git push", "git.exe push", True),
        ("git -C x stage", "git stage", True),
        ("git -C x send-pack y", "git send-pack", True),
        ("docker -D container rm x", "docker container rm", True),
        ("docker rm x", "docker container rm", True),
        ("docker ps", "docker container rm", False),
        ("grm x", "grm", True),
        # options of the pattern
        ("/usr/bin/git -c a=b log", "git -c", True),
        ("/usr/bin/git log", "git -c", False),
        ("tf apply x -auto", "tf apply -auto", True),
        ("tf apply -- -auto", "tf apply -auto", False),
        ("tf apply", "tf apply -auto", False),
        ("git commit -m x --no-veri", "git commit --no-verify", True),
        ("git commit --no-verifyx", "git commit --no-verify", False),
        ("git commit -- --no-verify", "git commit --no-verify", False),
        ("git commit x --", "git commit --no-verify", False),
        ("git commit --n", "git commit --no-verify", True),
        ("git commit -no", "git commit --no-verify", False),
        ("curl --data secret", "curl --data=secret", True),
        ("curl --da=secret", "curl --data=secret", True),
        ("curl --data=other --data=secret", "curl --data=secret", True),
        ("curl --data", "curl --data=secret", False),
        ("curl -s --data secret x", "curl --data=secret", True),
        ("tf apply -auto", "tf -auto apply", True),
        ("tf destroy -auto", "tf -auto apply", False),
        ("npm " + "-a " * 60 + "publish", "npm publish", True),
        ("curl --data x secret", "curl --data=secret", False),
        ("rm -rf", "rm -f", True),
        ("rm -r", "rm -f", False),
        ("rm -f", "rm -f", True),
        ("rm x-f", "rm -f", False),
        ("rm -rf", "rm -fo", False),
        ("rm -", "rm -", True),
        ("rm x", "rm -", False),
        ("rm x -", "rm -", False),
        ("rm -x -", "rm -", True),
    ],
)
def test_words_that_run_the_command_of_a_pattern(words: str, pattern: str, expected: bool) -> None:
    assert begins_with(tuple(words.split()), tuple(frozenset({word}) for word in pattern.split())) is expected


def test_a_pattern_may_contain_alternatives() -> None:
    pattern = (frozenset({"git", "hg"}), frozenset({"push", "-f"}))
    for words in ("git push", "hg push", "hg pus", "git x -f", "hg -vf"):
        assert begins_with(tuple(words.split()), pattern)
    for words in ("svn push", "git pull", "git"):
        assert not begins_with(tuple(words.split()), pattern)


def test_every_alternative_program_has_its_own_normal_form() -> None:
    pattern = (frozenset({"git-push", "docker-compose", "svn"}),)
    for words in ("git -C x push", "docker compose", "git-push", "docker-compose", "/usr/bin/svn x"):
        assert begins_with(tuple(words.split()), pattern)
    for words in ("git", "git compose", "docker push", "docker"):
        assert not begins_with(tuple(words.split()), pattern)
