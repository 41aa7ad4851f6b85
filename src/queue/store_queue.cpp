// The queue over store::Engine: records are written by batches, read at each call; the store alone remembers.
#include <algorithm>
#include <map>
#include <mutex>

#include "base/assert.hpp"
#include "queue/queue.hpp"
#include "queue/record.hpp"
#include "store/key.hpp"

namespace facteur::queue {

namespace {

bool settled(const Recipient& recipient) { return recipient.status != Recipient::Status::waiting; }

// What is gathered of one entry while its records are scanned.
struct Gathering {
  QueueId id;
  std::optional<Envelope> envelope;
  std::vector<Recipient> recipients;
  std::vector<std::string> keys;
  std::string damage;
};

class StoreQueue : public Queue {
 public:
  StoreQueue(store::Engine& engine, world::Shards& shards, world::Clock& clock, world::Random& random,
             observe::Scope scope)
      : engine_(engine), shards_(shards), clock_(clock), random_(random), scope_(std::move(scope)) {
    find_last_id();
  }

  QueueId new_id() override {
    // 42 bits of milliseconds, 18 of chance: ordered by time; the calendar may step back, the ids do not.
    const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(clock_.utc().milliseconds, 0));
    const std::lock_guard guard(lock_);
    const auto wish = (now & ((1ULL << 42) - 1)) << 18 | random_.below(1 << 18);
    last_id_ = std::max<std::uint64_t>(last_id_ + 1, wish);
    return QueueId(last_id_);
  }

  void enter(const Entry& entry, store::Batch& batch) override {
    ASSERT(entry.id && !entry.recipients.empty());
    batch.put(envelope_key(entry.id), write_envelope(entry));
    for (std::uint32_t i = 0; i < entry.recipients.size(); ++i) {
      batch.put(recipient_key(entry.id, i), write_recipient(entry.recipients[i]));
    }
    batch.reference(entry.content, prefix_of(entry.id));
  }

  void accepted(Entry entry) override {
    const auto id = entry.id;
    tell({Change::Kind::accepted, id, std::move(entry)});
  }

  Task<Result<void>> settle(const Entry& entry) override {
    store::Batch batch;
    auto written = settle(entry, batch);
    if (!written || batch.empty()) co_return written;
    co_return co_await engine_.commit(std::move(batch));
  }

  Result<void> settle(const Entry& entry, store::Batch& batch) override {
    if (std::ranges::all_of(entry.recipients, settled)) {
      // These are all of its records: an entry that has others is damaged, and nobody settles it (gather()).
      batch.remove(envelope_key(entry.id));
      for (std::uint32_t i = 0; i < entry.recipients.size(); ++i) batch.remove(recipient_key(entry.id, i));
      batch.unreference(entry.content, prefix_of(entry.id));
      return {};
    }
    auto envelope = engine_.latest().get(envelope_key(entry.id));
    if (!envelope) return failed(envelope);
    if (!*envelope) return {};  // An operator has removed it meanwhile.
    auto known = read_envelope(**envelope);
    if (!known) return failed(known);
    if (known->recipients != entry.recipients.size()) {
      auto grown = known->entry;
      grown.recipients = entry.recipients;  // Recipients were added (an alias was expanded).
      batch.put(envelope_key(entry.id), write_envelope(grown));
    }
    for (std::uint32_t i = 0; i < entry.recipients.size(); ++i) {
      const auto key = recipient_key(entry.id, i);
      auto value = write_recipient(entry.recipients[i]);
      auto before = engine_.latest().get(key);
      if (!before) return failed(before);
      if (!*before || **before != value) batch.put(key, value);
    }
    return {};
  }

  Result<std::vector<Entry>> list() const override {
    std::vector<Entry> out;
    auto scanned = scan_all([&out](Entry entry) { out.push_back(std::move(entry)); });
    if (!scanned) return failed(scanned);
    return out;
  }

  Result<std::optional<Entry>> find(QueueId id) const override {
    Gathering one{id, {}, {}, {}, {}};
    const auto prefix = prefix_of(id);
    auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes value) {
      gather(one, key, value);
      return true;
    });
    if (!scanned) return failed(scanned);
    if (one.keys.empty()) return std::optional<Entry>();
    auto entry = finish(one);
    if (!entry) return failed(entry);
    return std::move(*entry);
  }

  Task<Result<void>> hold(QueueId id, bool on) override {
    auto value = engine_.latest().get(envelope_key(id));
    if (!value) co_return failed(value);
    if (!*value) co_return failure(Failure::Kind::permanent, "F-7016", "No such message in the queue");
    auto envelope = read_envelope(**value);
    if (!envelope) co_return failed(envelope);
    auto entry = std::move(envelope->entry);
    entry.held = on;
    entry.recipients.resize(envelope->recipients);
    store::Batch batch;
    batch.put(envelope_key(id), write_envelope(entry));
    auto done = co_await engine_.commit(std::move(batch));
    if (done) tell({on ? Change::Kind::held : Change::Kind::released, id, {}});
    co_return done;
  }

  Task<Result<void>> retry(std::optional<QueueId> id) override {
    if (id) {
      auto there = engine_.latest().get(envelope_key(*id));
      if (!there) co_return failed(there);
      if (!*there) co_return failure(Failure::Kind::permanent, "F-7017", "No such message in the queue");
    }
    // Nothing is written: what the scheduler makes of it is, and a crash before that keeps the old schedule.
    tell({Change::Kind::retry, id.value_or(QueueId()), {}});
    co_return Result<void>{};
  }

  Task<Result<void>> remove(QueueId id) override {
    auto value = engine_.latest().get(envelope_key(id));
    if (!value) co_return failed(value);
    if (!*value) co_return failure(Failure::Kind::permanent, "F-7018", "No such message in the queue");
    auto envelope = read_envelope(**value);
    store::Batch batch;
    auto written = remove_records(id, envelope ? envelope->entry.content : store::BlobId(), batch);
    if (!written) co_return written;
    auto done = co_await engine_.commit(std::move(batch));
    if (done) tell({Change::Kind::removed, id, {}});
    co_return done;
  }

  std::unique_ptr<Ear> listen(unsigned shard, std::function<void(Change)> hear) override {
    const std::lock_guard guard(lock_);
    listeners_.push_back(std::make_shared<Listener>(shard, std::move(hear)));
    return std::make_unique<OneEar>(*this, listeners_.back());
  }

  std::vector<Corrupt> quarantined() const override {
    auto ignored = scan_all([](Entry) {});  // Finds those not met yet.
    const std::lock_guard guard(lock_);
    std::vector<Corrupt> out;
    if (ignored) {
      for (const auto& [id, why] : corrupt_) out.push_back({id, why});
    }
    return out;
  }

 private:
  struct Listener {
    unsigned shard;
    std::function<void(Change)> hear;  // Empty once the Ear has gone.
  };
  class OneEar : public Ear {
   public:
    OneEar(StoreQueue& owner, std::shared_ptr<Listener> listener) : owner_(owner), listener_(std::move(listener)) {}
    ~OneEar() override {
      listener_->hear = nullptr;
      const std::lock_guard guard(owner_.lock_);
      std::erase(owner_.listeners_, listener_);
    }

   private:
    StoreQueue& owner_;
    std::shared_ptr<Listener> listener_;
  };

  void tell(const Change& change) {
    const std::lock_guard guard(lock_);
    for (const auto& listener : listeners_) {
      shards_.post(listener->shard, [listener, change]() mutable {
        if (listener->hear) listener->hear(std::move(change));
      });
    }
  }

  void find_last_id() {
    const auto prefix = prefix_of_all();
    auto scanned = engine_.latest().scan_back(prefix, store::behind(prefix), [this](Bytes key, Bytes) {
      const auto parts = parse_key(key);
      if (parts) last_id_ = parts->id.value;
      return !parts;
    });
    if (!scanned) scope_.event("queue_scan_failed").failure(scanned.error());
  }

  // All records of an entry go, also those of layouts or numbers we do not know.
  Result<void> remove_records(QueueId id, const store::BlobId& content, store::Batch& batch) const {
    const auto prefix = prefix_of(id);
    bool any = false;
    auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes) {
      batch.remove(key);
      return any = true;
    });
    if (scanned && any) batch.unreference(content, prefix);
    return scanned;
  }

  static void gather(Gathering& one, Bytes key, Bytes value) {
    one.keys.emplace_back(key);
    const auto parts = parse_key(key);
    if (!parts) {
      one.damage = "a key of unknown form";
    } else if (!parts->recipient) {
      auto envelope = read_envelope(value);
      if (envelope)
        one.envelope = std::move(*envelope);
      else
        one.damage = envelope.error().cause;
    } else {
      auto recipient = read_recipient(value);
      if (!recipient)
        one.damage = recipient.error().cause;
      else if (parts->number != one.recipients.size())
        one.damage = "a recipient is missing";
      else
        one.recipients.push_back(std::move(*recipient));
    }
  }

  // The entry; nullopt if nothing is left to do for it; a failure if it is damaged.
  Result<std::optional<Entry>> finish(Gathering& one) const {
    if (one.damage.empty() && one.envelope && one.envelope->recipients > one.recipients.size()) {
      one.damage = "recipients are missing";
    }
    if (!one.damage.empty()) {
      quarantine(one.id, one.damage);
      return failure(Failure::Kind::corrupt, "F-7019", "The message's records are damaged", one.damage);
    }
    if (!one.envelope || std::ranges::all_of(one.recipients, settled)) return std::optional<Entry>();
    Entry entry = std::move(one.envelope->entry);
    entry.id = one.id;
    entry.recipients = std::move(one.recipients);
    return std::optional<Entry>(std::move(entry));
  }

  void quarantine(QueueId id, const std::string& why) const {
    {
      const std::lock_guard guard(lock_);
      if (!corrupt_.emplace(id, why).second) return;
    }
    scope_.event("queue_record_quarantined")
        .level(observe::Level::error)
        .field("queue_id", to_string(id))
        .field("cause", why);
  }

  Result<void> scan_all(const std::function<void(Entry)>& each) const {
    std::optional<Gathering> one;
    const auto end = [&] {
      if (!one) return;
      auto entry = finish(*one);
      if (entry && *entry) each(std::move(**entry));
    };
    const auto prefix = prefix_of_all();
    const auto snapshot = engine_.snapshot();
    auto scanned = snapshot->scan(prefix, store::behind(prefix), [&](Bytes key, Bytes value) {
      store::Parser parser(key.substr(prefix.size()));
      const QueueId id(parser.u64());
      if (!one || one->id != id) {
        end();
        one = Gathering{id, {}, {}, {}, {}};
      }
      gather(*one, key, value);
      return true;
    });
    end();
    return scanned;
  }

  store::Engine& engine_;
  world::Shards& shards_;
  world::Clock& clock_;
  world::Random& random_;
  observe::Scope scope_;
  mutable std::mutex lock_;  // Guards what follows: calls come from all shards.
  std::uint64_t last_id_ = 0;
  std::vector<std::shared_ptr<Listener>> listeners_;
  mutable std::map<QueueId, std::string> corrupt_;
};

}  // namespace

std::unique_ptr<Queue> make_queue(store::Engine& engine, world::Shards& shards, world::Clock& clock,
                                  world::Random& random, observe::Scope scope) {
  return std::make_unique<StoreQueue>(engine, shards, clock, random, std::move(scope));
}

}  // namespace facteur::queue
