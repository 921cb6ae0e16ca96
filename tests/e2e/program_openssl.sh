#!/bin/bash
# openssl with a key derivation that takes memory (scrypt), a quarter of its footprint local, is as natively.
. "$(dirname "$0")/functions.sh"
squeeze openssl kdf -keylen 32 -kdfopt pass:secret -kdfopt salt:pepper -kdfopt n:16384 -kdfopt r:8 -kdfopt p:1 SCRYPT
same_as_native 2M openssl dgst -sha256 "$bin/ashlar"
passed
