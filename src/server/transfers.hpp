// Many messages in and out of a mailbox, over the control socket: what `facteur import` and `facteur export` ask for.
//
//   import.mailbox   address, mailbox            the mailbox is there now; what follows on this connection goes into it
//                    quota                       what the account has no room for is refused
//   import.piece     and octets                  the next octets of one large message
//   import.messages  messages, and octets        files them all in one commit; says how many were new. Of each, the
//                                                first "prefix" octets are what was put in front of it at delivery
//                    go_on                       does not wait for that: says of those filed by now how many were new
//   import.end                                   says the same of the rest, when all of it is durable
//   export.mailboxes address                     the mailboxes, with their counts
//   export.contents  address, mailbox, after     what the messages behind that UID are: content by hash, size, time;
//                    texts                       and sender and subject if asked for
//   export.messages  address, mailbox, after     the messages behind that UID, as many as fit, and their octets;
//                    uids                        only these, if given
//   export.piece     address, mailbox, uid, offset   octets of one large message
#pragma once

#include <string_view>

#include "server/asked.hpp"
#include "server/commands.hpp"

namespace facteur::server {

inline constexpr std::size_t transfer_piece = 1024 * 1024;      // Of a large message.
inline constexpr std::size_t transfer_batch = 2 * 1024 * 1024;  // Of many small ones: one commit, one reply.
inline constexpr std::size_t transfer_messages = 1000;          // In one request or reply.

struct Transferred {
  json::value result;
  std::string octets;
};

bool is_transfer(std::string_view command);
Task<Result<Transferred>> transfer(const CommandDoors& doors, Conversation& conversation, const Asked& asked,
                                   std::string octets);

Task<Result<Transferred>> list_contents(const CommandDoors& doors, const Asked& asked);  // export.contents

// What commands about one mailbox begin with.
struct OpenedMailbox {
  mailbox::AccountId account;
  std::shared_ptr<const mailbox::View> view;
};
inline constexpr std::string_view no_mailbox_to_export = "F-6115";
Task<Result<OpenedMailbox>> open_mailbox_of(const CommandDoors& doors, const Asked& asked);

}  // namespace facteur::server
