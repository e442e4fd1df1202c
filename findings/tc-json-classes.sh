#!/bin/sh
# `tc -j` of iproute2 6.1.0 (Debian 12): rates are bytes in a second in the JSON, where the text beside it has bits (8Mbit is 1000000), with
# nothing that says so; and classes of HTB come as text, with exit code 0, so that a reader of JSON finds none.
# In a network namespace of its own. Needs root, tc. Fails where it behaves otherwise.
set -eu
case "$(tc -V)" in *iproute2-6.1.0*) ;; *) echo "another version: $(tc -V)"; exit 1 ;; esac
seen=$(unshare --net sh -eu -c '
  ip link add left type veth peer name right
  tc qdisc add dev left root tbf rate 8mbit burst 10kb latency 50ms
  tc qdisc add dev right root handle 1: htb default 10
  tc class add dev right parent 1: classid 1:10 htb rate 8mbit
  tc qdisc show dev left
  tc -j qdisc show dev left
  tc -j class show dev right
')
echo "$seen"
echo "$seen" | grep -q "tbf.* rate 8Mbit" && echo "$seen" | grep -q '"kind":"tbf".*"rate":1000000,' || { echo "rates are otherwise now"; exit 1; }
echo "$seen" | grep -q "^class htb 1:10 root .*rate 8Mbit" || { echo "classes are JSON now"; exit 1; }
