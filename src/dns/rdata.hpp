// What stands inside DNS records (RFC 1035 §3.3): octets of strangers, since whoever owns a zone writes what he likes.
// libunbound has taken the message apart and expanded compressed names; what it leaves as octets is read here.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "dns/resolver.hpp"

namespace facteur::dns {

// A whole name (RFC 1035 §3.1) as text: lower case, without the final dot, the root as "". nullopt for one that is cut
// short, compressed, or has a label that no host and no mail domain can have (a dot, a space, a control character,
// octets above 126). Octets behind the name are left alone.
std::optional<std::string> read_name(Bytes octets);

// RFC 1035 §3.3.9. nullopt if the name in it cannot be read.
std::optional<Mx> read_mx(Bytes octets);

// A (RFC 1035 §3.4.1) by four octets, AAAA (RFC 3596 §2.2) by sixteen; nullopt for any other length.
std::optional<IpAddress> read_address(Bytes octets);

// RFC 7208 §3.3: the strings of one TXT record, joined without anything between. The last one may be cut short.
std::string read_text(Bytes octets);

// RFC 6698 §2.1. nullopt without any octet of a certificate.
std::optional<Tlsa> read_tlsa(Bytes octets);

// The name under which the PTR records of an address are (RFC 1035 §3.5, RFC 3596 §2.5).
std::string reverse_name(const IpAddress& address);

}  // namespace facteur::dns
