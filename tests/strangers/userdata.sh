#!/bin/bash
# The operator's user data for failover.py: gives the instance its overlay address, now and after a
# reboot, in the manner of an rc.local unit.
set -eu

tee /etc/rc.local <<'RC_LOCAL'
#!/bin/bash
set -eu
device=$(ip -o -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
ip addr replace {{ROUTE_DESTINATION}}/24 dev "$device"
ip rule del to 10.0.0.0/24 table 200 2>/dev/null || true
ip rule add to 10.0.0.0/24 table 200
ip route replace default via {{AZ_SUBNET_DEF_ROUTE}} dev "$device" src {{ROUTE_DESTINATION}} table 200
RC_LOCAL
chmod +x /etc/rc.local

sudo tee /etc/systemd/system/rc-local.service <<'UNIT'
[Unit]
Description=/etc/rc.local
ConditionPathExists=/etc/rc.local
After=network-online.target
Wants=network-online.target

[Service]
Type=forking
ExecStart=/etc/rc.local start
TimeoutSec=0
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
UNIT

sudo systemctl daemon-reload
sudo systemctl enable rc-local
sudo systemctl start rc-local
