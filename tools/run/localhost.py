"""HTTP to this machine."""

import urllib.request

HOST = "127.0.0.1"

# Not urlopen: that would send requests to ourselves through a proxy set in the environment.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
