"""`python -m code_responses_api_proxy`."""

from code_responses_api_proxy.cli import main

main()
