#!/usr/bin/env python3
"""tls_door.py PORT INNER CERTIFICATE KEY: speaks TLS on PORT of every address, and passes what it hears on to
127.0.0.1:INNER and back. One connection after the other; one that fails its handshake is let go."""

import socket
import ssl
import sys
import threading

port, inner, certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


def carry(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(plain):
    try:
        outer = context.wrap_socket(plain, server_side=True)
        # a client that refuses the certificate says so with its first bytes
        first = outer.recv(65536)
        if not first:
            return
        far = socket.create_connection(("127.0.0.1", int(inner)))
        far.sendall(first)
    except OSError:
        return
    back = threading.Thread(target=carry, args=(far, outer), daemon=True)
    back.start()
    carry(outer, far)
    back.join()


door = socket.create_server(("", int(port)))
print(f"listening on {port}", flush=True)
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
