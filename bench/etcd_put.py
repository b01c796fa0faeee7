"""Puts per second of an etcd on loopback: 64 clients, 1 KB values, through its JSON gateway with wrk.
argv: port, directory for a script of wrk's."""
import base64
import re
import subprocess
import sys

port, work = sys.argv[1:]
value = base64.b64encode(b"y" * 1000).decode()
script = f"{work}/put.lua"
open(script, "w").write(
    f"""
local n = 0
request = function()
    n = n + 1
    local key = string.format("{{\\"key\\":\\"%s\\",\\"value\\":\\"{value}\\"}}", "YmVuY2g" .. string.format("%08d", n))
    return wrk.format("POST", "/v3/kv/put", {{["Content-Type"] = "application/json"}}, key)
end
"""
)
out = subprocess.run(
    ["wrk", "-t1", "-c64", "-d5s", "-s", script, f"http://127.0.0.1:{port}/v3/kv/put"],
    capture_output=True,
    text=True,
    check=True,
).stdout
print(re.search(r"Requests/sec:\s*([0-9.]+)", out).group(1))
