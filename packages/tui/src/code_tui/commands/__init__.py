"""The commands of the chat: lines that begin with a slash."""
