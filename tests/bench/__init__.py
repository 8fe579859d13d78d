"""What a request costs: CPU per request, latency, memory and start of the gateway, beside a bare forwarder.

`python -m tests.bench --help`; method and words in README.md beside this file.
"""
