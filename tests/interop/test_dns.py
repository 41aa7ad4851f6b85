"""Mail that finds its way by look-ups in a real name server (NSD), with signed zones: MX, A, null MX, bogus, outage."""
import imaplib
import os
import pathlib
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time
import unittest

from harness import Server, free_ports, wait_for


class Names:
    """An NSD of its own on 127.0.0.1. Zones are set before start(); sign() makes a zone's anchor part of `anchors`."""

    def __init__(self):
        self.port = free_ports(1)[0]
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="nsd-interop-"))
        self.home.chmod(0o755)  # The server may be another user.
        self.anchors = self.home / "anchors"
        self.anchors.write_text("")
        self.zones = []
        self.process = None

    def zone(self, name, records):
        (self.home / name).write_text(f"$ORIGIN {name}.\n$TTL 300\n@ SOA ns root 1 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\n{records}\n")
        self.zones.append(name)

    def sign(self, name, *options):
        key = subprocess.run(["ldns-keygen", "-r", "/dev/urandom", "-a", "ECDSAP256SHA256", "-k", name], cwd=self.home,
                             check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["ldns-signzone", *options, "-f", name + ".signed", name, key], cwd=self.home, check=True, capture_output=True)
        os.replace(self.home / (name + ".signed"), self.home / name)
        with open(self.anchors, "a") as out:
            out.write((self.home / (key + ".key")).read_text())

    def start(self):
        text = (f'server:\n ip-address: 127.0.0.1@{self.port}\n username: ""\n chroot: ""\n server-count: 1\n database: ""\n'
                f' xfrdfile: "{self.home}/xfrd"\n xfrdir: "{self.home}"\n pidfile: ""\n zonesdir: "{self.home}"\n'
                f' zonelistfile: "{self.home}/zones"\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n')
        text += "".join(f"zone:\n name: {name}\n zonefile: {name}\n" for name in self.zones)
        (self.home / "nsd.conf").write_text(text)
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", self.home / "nsd.conf"], stdout=log, stderr=log)
        wait_for(lambda: "nsd started" in (self.home / "log").read_text())

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


class DnsTest(unittest.TestCase):
    """north.test sends; south.test and others receive, at 127.0.0.x with one port for all (delivery.port)."""

    @classmethod
    def setUpClass(cls):
        cls.names = Names()
        cls.mx_port = free_ports(1)[0]
        cls.names.zone("north.test", "@ MX 10 mx\nmx A 127.0.0.2")
        # The best exchanger does not listen, the second one does, the third must not be needed.
        cls.names.zone("south.test", "@ MX 10 dead\n@ MX 20 mx\n@ MX 30 127-0-0-9\ndead A 127.0.0.8\nmx A 127.0.0.3\n127-0-0-9 A 127.0.0.9")
        cls.names.zone("plain.test", "@ A 127.0.0.3")
        cls.names.zone("nomail.test", "@ MX 0 .\n@ A 127.0.0.3")
        cls.names.zone("bogus.test", "@ MX 10 mx.south.test.")
        for name in ("north.test", "south.test", "nomail.test"):
            cls.names.sign(name)
        cls.names.sign("bogus.test", "-i", "20200101", "-e", "20200201")
        cls.names.start()
        zones = [*cls.names.zones, "gone.test"]
        dns = (f'\n[dns]\nmode = "forward"\nforwarders = ["127.0.0.1:{cls.names.port}"]\ntimeout = "3s"\n'
               f'trust_anchor_file = "{cls.names.anchors}"\n\n[delivery]\nport = {cls.mx_port}\nallow_loopback = true\n')
        for zone in zones:
            dns += f'\n[[dns.stub]]\nzone = "{zone}"\nservers = ["127.0.0.1:{cls.names.port}"]\n'
        listener = '\n[[listener]]\nprotocol = "exchanger"\nport = {}\naddress = "{}"\ntls = "starttls"\n'
        cls.north = Server("north.test", more=dns + listener.format(cls.mx_port, "127.0.0.2"))
        cls.south = Server("south.test", more=dns + listener.format(cls.mx_port, "127.0.0.3"))
        cls.south.facteur("domain", "add", "plain.test")
        cls.south.facteur("account", "add", "rose@plain.test", stdin="correct horse\n")

    @classmethod
    def tearDownClass(cls):
        statuses = [cls.north.close(), cls.south.close()]
        cls.names.close()
        if statuses != [0, 0]:
            raise AssertionError(f"facteur ended with {statuses}")

    def submit(self, to, subject):
        with smtplib.SMTP("127.0.0.1", self.north.submission, local_hostname="pc", timeout=30) as client:
            client.login("anne@north.test", "correct horse")
            client.sendmail("anne@north.test", [to], f"From: anne@north.test\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHello.\r\n")

    def arrived(self, server, user, text):
        with imaplib.IMAP4("127.0.0.1", server.imap) as client:
            client.login(user, "correct horse")
            client.select("INBOX", readonly=True)
            found = client.search(None, "TEXT", f'"{text}"')[1][0].split()
            return client.fetch(found[0], "(BODY[])")[1][0][1].decode() if found else None

    def test_mx_in_order_of_preference(self):
        self.submit("paul@south.test", "by mx")
        message = wait_for(lambda: self.arrived(self.south, "paul@south.test", "by mx"))
        self.assertIn("from mx.north.test", message)
        self.assertIn("by mx.south.test", message)

    def test_address_without_mx(self):
        self.submit("rose@plain.test", "by address")
        wait_for(lambda: self.arrived(self.south, "rose@plain.test", "by address"))

    def test_answer_goes_back_by_mx(self):
        with smtplib.SMTP("127.0.0.1", self.south.submission, local_hostname="pc", timeout=30) as client:
            client.login("paul@south.test", "correct horse")
            client.sendmail("paul@south.test", ["anne@north.test"], "From: paul@south.test\r\nSubject: backwards\r\n\r\nHello.\r\n")
        wait_for(lambda: self.arrived(self.north, "anne@north.test", "backwards"))

    def test_null_mx_is_returned_at_once(self):
        self.submit("someone@nomail.test", "into the void")
        self.assertIn("5.1.10", wait_for(lambda: self.arrived(self.north, "anne@north.test", "someone@nomail.test")))

    def test_no_such_domain_is_returned_at_once(self):
        self.submit("someone@missing.plain.test", "no such domain")
        self.assertIn("5.1.2", wait_for(lambda: self.arrived(self.north, "anne@north.test", "someone@missing.plain.test")))

    def waits(self, address):
        listed = self.north.facteur("queue", "list", "--json")
        return address in listed and listed

    def test_bogus_answer_lets_the_mail_wait(self):
        self.submit("someone@bogus.test", "signed wrongly")
        wait_for(lambda: "DNSSEC" in (self.waits("someone@bogus.test") or "") or "bogus.test" in self.north.log.read_text())
        time.sleep(0.5)
        self.assertTrue(self.waits("someone@bogus.test"))
        self.assertIn("signature expired", self.north.log.read_text())
        self.assertIsNone(self.arrived(self.north, "anne@north.test", "someone@bogus.test"))

    def test_server_that_refuses_lets_the_mail_wait(self):
        self.submit("someone@gone.test", "nobody knows")
        time.sleep(1)
        self.assertTrue(self.waits("someone@gone.test"))


class DnsOutageTest(unittest.TestCase):
    def test_mail_waits_for_the_name_server(self):
        names = Names()
        port = free_ports(1)[0]
        names.zone("south.test", "@ MX 10 mx\nmx A 127.0.0.4")
        dns = (f'\n[dns]\nmode = "forward"\nforwarders = ["127.0.0.1:{names.port}"]\ntimeout = "2s"\n'
               f"\n[delivery]\nport = {port}\nallow_loopback = true\n")
        listener = f'\n[[listener]]\nprotocol = "exchanger"\nport = {port}\naddress = "127.0.0.4"\ntls = "starttls"\n'
        north, south = Server("north.test", more=dns), Server("south.test", more=dns + listener)
        try:
            case = DnsTest()
            case.north, case.south = north, south
            case.submit("paul@south.test", "after the outage")
            wait_for(lambda: "DNS" in north.log.read_text())
            self.assertTrue(case.waits("paul@south.test"))
            names.start()

            def retried():
                north.facteur("queue", "retry", check=False)
                time.sleep(1)
                return case.arrived(south, "paul@south.test", "after the outage")

            wait_for(retried, 40)
        finally:
            self.assertEqual([north.close(), south.close()], [0, 0])
            names.close()
