#!/bin/sh
{#-
  User data for a machine that serves the VIP: a Jinja2 template for `rehome run --user-data-file`.

  It is told
    AZ_SUBNET_DEF_ROUTE   the router of the subnet that the machine boots in, like 172.31.48.1
    ROUTE_DESTINATION     the VIP, as 10.0.0.10/32 or 10.0.0.10

  Made for Amazon Linux 2 and 2023, Debian and Ubuntu. It needs no package, no internet and no
  permission in AWS. It may run any number of times. What serves at the VIP is added at its end.
#}
#
# Gives this machine its overlay address, now and at every boot.
set -eu

mkdir -p /etc/rehome

# Quotes around the end mark keep the shell from expanding anything in the text: what has a dollar
# sign in it means the machine at boot, not this script.
cat > /etc/rehome/vip.sh <<'END_OF_SCRIPT'
#!/bin/sh
# Puts the overlay address on this machine. Run at boot by rehome-vip.service; safe to run again.
set -eu

VIP='{{ ROUTE_DESTINATION.split("/")[0] }}'
ROUTER='{{ AZ_SUBNET_DEF_ROUTE }}'
# A table by number: names would need a line in /etc/iproute2/rt_tables, once and not twice.
TABLE=7010

# The interface behind the default route: eth0, ens5 or enX0, as instance type and system have it.
interface() {
    set -- $(ip -4 route show default)
    while [ "$#" -gt 1 ]; do
        if [ "$1" = dev ]; then
            echo "$2"
            return
        fi
        shift
    done
}

tries=0
while dev=$(interface); [ -z "$dev" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ]; then
        echo "there is no default route after 120 s" >&2
        exit 1
    fi
    sleep 1
done

ip -4 address replace "$VIP/32" dev "$dev"

# What leaves from the VIP goes to the subnet's router, whatever else is routed on this machine.
ip -4 route replace default via "$ROUTER" dev "$dev" src "$VIP" table "$TABLE" onlink
case $(ip -4 rule show) in
    *"from $VIP lookup $TABLE"*) ;;
    *) ip -4 rule add from "$VIP" lookup "$TABLE" ;;
esac
END_OF_SCRIPT
chmod 755 /etc/rehome/vip.sh

cat > /etc/systemd/system/rehome-vip.service <<'END_OF_UNIT'
[Unit]
Description=Overlay IP address of this machine
Wants=network-online.target
After=network-online.target
# Whoever restarts the network takes the address away: then it is put back.
PartOf=systemd-networkd.service NetworkManager.service network.service networking.service
After=systemd-networkd.service NetworkManager.service network.service networking.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /etc/rehome/vip.sh

[Install]
WantedBy=multi-user.target
END_OF_UNIT

# systemd-networkd (Amazon Linux 2023, Ubuntu) would remove routes and rules that it didn't make.
mkdir -p /etc/systemd/networkd.conf.d
cat > /etc/systemd/networkd.conf.d/rehome-vip.conf <<'END_OF_CONF'
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no
END_OF_CONF

systemctl daemon-reload
systemctl enable rehome-vip.service
systemctl start rehome-vip.service
# Started already, systemd does nothing; and then the address may be gone all the same.
/bin/sh /etc/rehome/vip.sh
