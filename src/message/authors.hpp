// Who wrote it, read strictly: the From field of a stranger (RFC 5322 §3.6.2), where two readers that guess differently
// let one sender be verified and another be shown.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "message/address.hpp"

namespace facteur::message {

// The mailboxes of a From field's value (folded, without its last line end): RFC 5322 §3.4 mailbox-list. Taken beyond
// that, since every reader agrees on it: dots, brackets and 8-bit octets in a display name without quotes, specials in
// its encoded words, the address itself as its name, a comma behind the only author; and one group in place of the list
// (RFC 6854), which names its members. nullopt: anything else, among it groups without members, routes, other empty
// members, comments or blanks within an address, encoded words where an address must stand, and addresses that no
// envelope could hold.
// Linear time; strings of the result are its own.
std::optional<std::vector<Address>> parse_authors(Bytes value);

}  // namespace facteur::message
