#!/bin/bash
# Gives this machine its overlay address, now and at every boot. Run as often as you like.
set -eu

cat > /etc/rc.local <<'EOF'
#!/bin/bash
set -eu
address=@ADDRESS@
network=@NETWORK@
table=200

# The interface's name differs from machine to machine; the default route knows it.
read -r _ _ gateway _ interface _ < <(ip -4 route show default)

ip address replace "$address/24" dev "$interface"
# What goes to overlay addresses leaves with the own overlay address, through the VPC router.
while ip rule del to "$network" table "$table" 2>/dev/null; do :; done
ip rule add to "$network" table "$table"
ip route replace default via "$gateway" src "$address" dev "$interface" table "$table"
EOF
chmod +x /etc/rc.local

cat > /etc/systemd/system/rc-local.service <<'EOF'
[Unit]
Description=/etc/rc.local Compatibility
ConditionPathExists=/etc/rc.local
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/etc/rc.local start
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
EOF

systemctl daemon-reload
systemctl enable rc-local
systemctl start rc-local
