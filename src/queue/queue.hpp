// Mail we are responsible for and have not settled yet: envelopes and references to their content, in account 0 of the
// store. The scheduler works from memory; the store is the truth, so a restart re-schedules everything (DEMAND.md row
// 7).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/strong.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "base/wait.hpp"
#include "observe/event.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/random.hpp"
#include "world/shards.hpp"

namespace facteur::queue {

struct QueueIdTag;
using QueueId = Strong<QueueIdTag, std::uint64_t>;  // Time-ordered, never reused; shown as 12 base32 characters.

struct Recipient {
  std::string address;      // local@domain, as to be sent.
  std::string original;     // ORCPT, "rfc822;..." decoded; may be empty (RFC 3461 §4.2).
  std::uint8_t notify = 0;  // RFC 3461 §4.1 bits: never 1, success 2, failure 4, delay 8; 0 is the default.
  enum class Status : std::uint8_t { waiting, delivered, failed, relayed, expanded };
  Status status = Status::waiting;
  std::uint32_t attempts = 0;
  UtcTime next_try;
  std::string last_reply;  // "450 4.2.1 ..." or our own words.
  std::string last_host;   // "mx1.example.org [192.0.2.1]".
  bool delay_noticed = false;
};

struct Entry {
  QueueId id;
  std::string sender;  // Empty: the null reverse-path, never bounced (RFC 5321 §4.5.5).
  std::vector<Recipient> recipients;
  store::BlobId content;
  std::uint64_t content_size = 0;
  std::string prefix;  // Header fields we add in front (Received).
  UtcTime arrived;
  UtcTime expires;
  bool held = false;
  bool body_8bit = false;  // BODY=8BITMIME.
  bool smtputf8 = false;
  bool authenticated = false;  // From a login of ours: may get delivery reports (RELIABILITY R13).
  std::string envelope_id;     // ENVID.
  std::uint8_t ret = 0;        // RET: 0 default, 1 FULL, 2 HDRS.
  std::string trace;           // Trace id of the arrival.
};

std::string to_string(QueueId id);
std::optional<QueueId> parse_queue_id(std::string_view text);

class Queue {
 public:
  virtual ~Queue() = default;

  virtual QueueId new_id() = 0;

  // Adds the records of this entry (and the reference to its content) to `batch`; commit is the caller's: the only
  // place that lets 250 out (DECISIONS.md 4). After the commit, call accepted().
  virtual void enter(const Entry& entry, store::Batch& batch) = 0;
  virtual void accepted(Entry entry) = 0;  // From any shard: makes it known to the scheduler.

  // Writes the changed states of recipients; removes the entry when all are settled. Durable when it ends.
  virtual Task<Result<void>> settle(const Entry& entry) = 0;
  // The same into a batch that somebody else commits (with the placement it marks as done, with a report).
  virtual Result<void> settle(const Entry& entry, store::Batch& batch) = 0;

  virtual Result<std::vector<Entry>> list() const = 0;  // Ascending by id. Corrupt ones are left out and reported.
  virtual Result<std::optional<Entry>> find(QueueId id) const = 0;
  virtual Task<Result<void>> hold(QueueId id, bool on) = 0;
  virtual Task<Result<void>> retry(std::optional<QueueId> id) = 0;  // Now; all entries without id.
  virtual Task<Result<void>> remove(QueueId id) = 0;

  // The one who schedules hears of every change, on `shard`, until the Ear goes (which happens there, too).
  struct Change {
    enum class Kind : std::uint8_t { accepted, held, released, retry, removed };
    Kind kind = Kind::accepted;
    QueueId id;
    std::optional<Entry> entry;  // Of an accepted one.
  };
  class Ear {
   public:
    virtual ~Ear() = default;
  };
  virtual std::unique_ptr<Ear> listen(unsigned shard, std::function<void(Change)> hear) = 0;

  // Damaged records: kept as they are, left out of list(), reported once (state Q5 of README.md).
  struct Corrupt {
    QueueId id;
    std::string why;
  };
  virtual std::vector<Corrupt> quarantined() const = 0;
};

std::unique_ptr<Queue> make_queue(store::Engine& engine, world::Shards& shards, world::Clock& clock,
                                  world::Random& random, observe::Scope scope);

}  // namespace facteur::queue
