// Reports to senders: what could not be delivered, what is late, what has arrived (RFC 3461, RFC 3464).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "delivery/delivery.hpp"
#include "delivery/outcome.hpp"
#include "message/dsn.hpp"
#include "queue/queue.hpp"
#include "store/engine.hpp"

namespace facteur::delivery {

// Whether this recipient's NOTIFY asks for (or does not forbid) such a report: RFC 3461 §4.1.
bool wants_report(const queue::Recipient& recipient, message::ReportAction action);

// Whether a report about this entry may be sent at all. Never about a report (RELIABILITY R12: null sender), and to
// senders elsewhere only if they logged in here, else forged senders would get our reports (R13: backscatter).
bool may_report(const queue::Entry& entry, const directory::Directory& directory);

struct Reported {
  std::size_t recipient = 0;  // Index into entry.recipients.
  message::ReportAction action = message::ReportAction::failed;
  std::string status;
};

// Adds the report for `to` to `batch` as a new entry of the queue; call queue.accepted() with it after the commit.
// nullopt if `what` is empty.
std::optional<queue::Entry> add_report(const Surroundings& surroundings, const Parameters& parameters,
                                       const std::string& to, const queue::Entry& entry,
                                       const std::vector<Reported>& what, const store::Content& original,
                                       store::Batch& batch);

}  // namespace facteur::delivery
