"""An HTTP server on threads that queues the connections of a burst."""

from http.server import ThreadingHTTPServer


class HttpListener(ThreadingHTTPServer):
    """`ThreadingHTTPServer` queues five connections; of more at once, the kernel drops or resets some."""

    request_queue_size = 128
