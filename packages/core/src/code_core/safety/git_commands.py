"""The subcommands of git; any other word after `git` is an alias, defined in git's settings."""

GIT_COMMANDS = frozenset(
    (
        "absorb add am annex annotate apply archimport archive backfill bisect bisect--helper blame branch bugreport "
        "bundle cat-file check-attr check-ignore check-mailmap check-ref-format checkout checkout-index cherry cherry- "
        "pick citool clean clone column commit commit-graph commit-tree config count-objects credential credential-cache "
        "credential-store crypt cvsexportcommit cvsimport cvsserver daemon describe diagnose diff diff-files diff-index "
        "diff-tree difftool fast-export fast-import fetch fetch-pack filter-branch filter-repo flow fmt-merge-msg for- "
        "each-ref for-each-repo format-patch fsck fsmonitor--daemon gc get-tar-commit-id gitk gitweb grep gui hash-object "
        "help history hook http-backend http-fetch http-push imap-send index-pack init init-db instaweb interpret- "
        "trailers last-modified lfs log ls-files ls-remote ls-tree mailinfo mailsplit maintenance merge merge-base merge- "
        "file merge-index merge-one-file merge-tree mergetool mktag mktree multi-pack-index mv name-rev notes p4 pack- "
        "objects pack-redundant pack-refs patch-id prune prune-packed pull push quiltimport range-diff read-tree rebase "
        "receive-pack reflog refs remote remote-http remote-https repack replace replay repo request-pull rerere reset "
        "restore rev-list rev-parse revert rm scalar send-email send-pack sh-i18n sh-setup shortlog show show-branch "
        "show-index show-ref sparse-checkout stage stash status stripspace submodule submodule--helper svn switch "
        "symbolic-ref tag unpack-file unpack-objects update-index update-ref update-server-info upload-archive upload- "
        "pack var verify-commit verify-pack verify-tag version whatchanged worktree write-tree"
    ).split()
)
"""From git 2.39 to 2.52 (`git help -a`), and well-known programs installed as `git-…`."""
