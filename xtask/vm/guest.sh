#!/bin/sh
# Process 1 of a guest whose root is the host's own tree, not to be written to: gives it folders of its own, runs the job that the
# kernel's command line names, and switches the machine off. What it prints goes to the second serial port, which the host reads.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run/bed LANG=C.UTF-8
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var/cache
mkdir -p -m 1777 /run/bed
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /mnt
mkdir -p /dev/shm /dev/pts
mount -t tmpfs none /dev/shm
mount -t devpts none /dev/pts
ip link set lo up
for word in $(cat /proc/cmdline); do
  case $word in bed.job=*) job=${word#bed.job=} ;; esac
done
stty -F /dev/ttyS1 -opost 2> /dev/null
cd /run/bed || exit 1
# Debian's Python, not another one that the builder has in the search path.
/usr/bin/python3 "$(sed 's/.*"script":"\([^"]*\)".*/\1/' "$job")" "$job" > /dev/ttyS1 2>&1
echo o > /proc/sysrq-trigger
# The kernel must not see process 1 end before that.
while :; do sleep 1; done
