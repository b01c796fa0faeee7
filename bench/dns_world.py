"""The other server: every name is 192.0.2.1, kept for an hour."""
import socket
import struct
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
while True:
    m, peer = s.recvfrom(4096)
    end = m.index(b"\0", 12) + 5
    s.sendto(m[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + m[12:end] + b"\xc0\x0c\0\1\0\1" + struct.pack(">I", 3600) +
             b"\0\4\xc0\0\2\1", peer)
