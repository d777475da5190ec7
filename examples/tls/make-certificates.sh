#!/bin/sh
# Makes an authority and three certificates for this example. Each is put in place whole, so that a running
# Evener never reads half a file.
set -eu
cd "$(dirname "$0")"
mkdir -p certificates
cd certificates
umask 077

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
  -subj "/CN=Evener example authority" -keyout ca.key.pem -out ca.pem 2>/dev/null

# certificate NAME SUBJECT_ALT_NAMES
certificate() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/CN=$1" -keyout new.key.pem -out new.csr 2>/dev/null
  printf 'subjectAltName=%s\n' "$2" > new.ext
  openssl x509 -req -in new.csr -CA ca.pem -CAkey ca.key.pem -CAcreateserial -days 30 \
    -extfile new.ext -out new.pem 2>/dev/null
  mv new.key.pem "$1.key.pem"
  mv new.pem "$1.pem"
  rm -f new.csr new.ext
}

certificate localhost "DNS:localhost,IP:127.0.0.1"
certificate example "DNS:*.example.test"
certificate backend "DNS:backend.internal"
echo "certificates are in $(pwd)"
