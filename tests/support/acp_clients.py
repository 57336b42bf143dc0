"""The capabilities of ACP clients."""

from code_core.acp.capabilities import ClientCapabilities

EVERYTHING = ClientCapabilities(
    read_files=True,
    write_files=True,
    terminal_output=True,
    notices=True,
    compaction=True,
    plans=True,
    forms=True,
)
