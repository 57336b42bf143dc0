"""A local proxy that holds the API key and streams `POST /v1/responses` upstream."""
