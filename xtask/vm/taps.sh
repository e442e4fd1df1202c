# Starts QEMU (the arguments) in a network namespace with two TAP interfaces of several queues, tc and tk, that a bridge joins:
# of QEMU's network backends it is TAP that has several queues.
ip link add bed type bridge
ip link set bed up
for tap in tc tk; do
  ip tuntap add dev $tap mode tap multi_queue
  ip link set $tap master bed up
done
exec "$@"
