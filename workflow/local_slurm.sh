#!/usr/bin/env bash
# A SLURM cluster of one node, this machine, to try the workflow's cluster profile on.
#
#   sudo workflow/local_slurm.sh start [GPUS]   install what is missing; start munged, slurmctld, slurmd
#   sudo workflow/local_slurm.sh status         the node and its jobs
#   sudo workflow/local_slurm.sh stop           cancel all jobs, end the three daemons
#
# Works as root, also in a container without systemd. Key, configuration, state and logs lie in one
# folder, CONDI_SLURM_DIR, default /tmp/condi-slurm; SLURM finds them by two links in /etc/slurm, which
# `stop` takes away. GPUS is a number to pretend: jobs that ask for GPUs are scheduled as if
# there were so many. For trials only: one user, no accounting, no limit on what a job really uses.
set -euo pipefail

folder=${CONDI_SLURM_DIR:-/tmp/condi-slurm}
link=/etc/slurm/slurm.conf
export PATH=$PATH:/usr/sbin
unset SLURM_CONF

say() { echo "local_slurm: $*"; }

fail() {
    echo "local_slurm: $*" >&2
    exit 1
}

install_missing() {
    local packages=()
    command -v munged >/dev/null || packages+=(munge)
    command -v slurmctld >/dev/null || packages+=(slurmctld)
    command -v slurmd >/dev/null || packages+=(slurmd)
    command -v sbatch >/dev/null || packages+=(slurm-client)
    [ "${#packages[@]}" -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "please install: ${packages[*]}"
    say "installing ${packages[*]}"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
}

# Cores, memory and name of this machine; one queue, of which each job gets the cores and the
# memory that it asks for.
write_configuration() {
    local gpus=$1 host memory_mb
    host=$(hostname -s)
    memory_mb=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.95)}' /proc/meminfo)
    rm -rf "$folder"/{state,spool} # jobs of an earlier time, nodes found bad then
    mkdir -p "$folder"/{state,spool}
    cat >"$folder/slurm.conf" <<END
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=5
ReturnToService=2
KillWait=10
MinJobAge=300
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory_mb Gres=gpu:$gpus State=UNKNOWN
PartitionName=local Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
    : >"$folder/gres.conf"
    for index in $(seq 0 $((gpus - 1))); do
        : >"$folder/gpu$index" # stands for a device
        echo "NodeName=$host Name=gpu File=$folder/gpu$index" >>"$folder/gres.conf"
    done
}

start() {
    local gpus=${1:-0}
    [ "$(id -u)" -eq 0 ] || fail "must be root: sudo $0 start"
    [ "$(readlink -f $link)" = "$folder/slurm.conf" ] || [ ! -e $link ] ||
        fail "$link is there: this machine belongs to a SLURM cluster"
    [ ! -e "$folder/slurmctld.pid" ] || fail "runs already in $folder; first: $0 stop"
    install_missing
    mkdir -p "$folder"
    chmod 755 "$folder"
    write_configuration "$gpus"
    mkdir -p "$(dirname $link)"
    ln -sfn "$folder/slurm.conf" $link
    ln -sfn "$folder/gres.conf" "$(dirname $link)/gres.conf"
    [ -e "$folder/munge.key" ] || (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
        --seed-file="$folder/munged.seed"
    slurmctld -i
    slurmd
    for _ in $(seq 60); do
        if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then
            say "up: $(sinfo --noheader --format='%P %c cores %m MB %G')"
            return
        fi
        sleep 0.5
    done
    fail "the node is not ready; see $folder/slurmctld.log and $folder/slurmd.log"
}

stop() {
    [ "$(readlink -f $link)" = "$folder/slurm.conf" ] || fail "nothing was started from $folder"
    scancel --quiet --state=PENDING --partition=local || true
    scancel --quiet --partition=local || true
    for daemon in slurmd slurmctld munged; do
        local file=$folder/$daemon.pid
        [ -e "$file" ] || continue
        local pid
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 60); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.5
        done
        rm -f "$file"
        say "ended $daemon"
    done
    rm -f $link "$(dirname $link)/gres.conf"
}

case ${1:-} in
start) start "${2:-0}" ;;
stop) stop ;;
status)
    sinfo --long
    squeue
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
