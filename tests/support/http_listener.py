"""An HTTP server on threads that queues the connections of a burst."""

from http.server import ThreadingHTTPServer


class HttpListener(ThreadingHTTPServer):
    """`ThreadingHTTPServer` queues only five connections; the kernel drops or resets some of a larger burst."""

    request_queue_size = 128
