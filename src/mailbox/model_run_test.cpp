// The operations of the acceptance test, in the mixture of the reference model.
#include "crypto/hash.hpp"
#include "mailbox/model_test.hpp"

namespace facteur::mailbox::model {
namespace {

BlobId blob_of(const std::string& content) { return BlobId::from(crypto::sha256(content).view()); }

class Server {
 public:
  Server(Keeper& keeper, const Run& parameters)
      : keeper_(keeper), parameters_(parameters), chance_(parameters.seed), reading_(keeper.durable()) {
    transact([&](Transaction& t) {
      t.open_account({'r', 'e', 'p', 'l', 'i', 'c', 'a'});
      for (const char* name : {"INBOX", "Sent", "Work", "Old"}) mail_.push_back(make(t, name, ContainerKind::mail));
      calendar_ = make(t, "Cal", ContainerKind::calendar);
      local_ = t.reserve_ids(1000);
      local_end_ = local_ + 1000;
    });
    for (const char* name : {"inbox", "sent", "work", "old", "new"}) clients_.push_back(imap_client(name));
    for (int i = 0; i < 2; ++i) clients_.push_back(jmap_client());
    for (int i = 0; i < 2; ++i) clients_.push_back(dav_client(calendar_));
    for (const MailboxId folder : mail_) clients_.push_back(ics_client(folder));
    clients_.push_back(ics_client(calendar_));
    clients_.push_back(ics_client(mail_.front()));
  }

  Statistics work() {
    for (std::size_t step = 0; step < parameters_.operations; ++step) {
      step_ = step;
      if (!state_.placing.empty()) meanwhile();
      transact([&](Transaction& t) { operation(t); });
      if (parameters_.restore_per_mille > 0) lose_sometimes();
      for (const auto& client : clients_) {
        if (!chance_.happens(parameters_.sync_per_mille)) continue;
        carry_all();
        keeper_.settle();
        client->sync(reading_, chance_);
      }
      if (parameters_.check_every != 0 && step % parameters_.check_every == 0) check();
    }
    if (parameters_.check_every != 0) check();
    carry_all();
    keeper_.settle();
    if (parameters_.check_every != 0) check();
    for (int round = 0; round < 6; ++round) {
      for (const auto& client : clients_) client->sync(reading_, chance_);
    }
    statistics_.modseq = state_.record.modseq;
    return statistics_;
  }

 private:
  struct Place {
    MailboxId mailbox;
    Uid uid;
  };

  void lose_sometimes() {
    if (chance_.happens(parameters_.restore_per_mille)) back_up();
    if (chance_.happens(parameters_.restore_per_mille)) restore();
  }
  void back_up() {
    keeper_.settle();
    keeper_.back_up();
    backed_up_ = true;
  }
  // What was done since is lost, but the readers have seen it.
  void restore() {
    if (!backed_up_) return;
    keeper_.settle();
    keeper_.restore();
    state_ = must(AccountState::load(keeper_.durable(), account), "load");
    tables_.clear();
    if (parameters_.planted_plain_restore) return;
    transact([&](Transaction& t) {
      std::array<char, 16> replica{};
      chance_.fill(replica);
      t.number_anew(replica, FirstNumbers::at(now()));
    });
  }
  UtcTime now() const { return UtcTime{static_cast<std::int64_t>(step_) * 1000}; }

  static MailboxId make(Transaction& t, std::string name, ContainerKind kind) {
    return must(t.make_container({.name = std::move(name), .kind = kind}), "make container");
  }

  void transact(const std::function<void(Transaction&)>& work) {
    Transaction::Options options;
    options.now = now();
    options.pack = {.changes = 8, .delta_rows = 40};  // Small, so that all of packing happens.
    options.planted_one_modseq_per_commit = parameters_.planted_one_modseq_per_commit;
    Transaction transaction(account, state_, keeper_.pending(), options);
    work(transaction);
    store::Batch batch;
    const Effects effects = must(transaction.finish(batch), "finish");
    for (const auto& operation : batch.operations) {
      ++(operation.kind == store::Batch::Operation::Kind::put ? statistics_.puts : statistics_.removes);
    }
    keeper_.commit(transaction.take_layer(), std::move(batch));
    state_.apply(effects);
    for (auto& [mailbox, table] : tables_) {
      std::vector<RowChange> mine;
      for (const auto& change : effects.rows) {
        if (change.mailbox == mailbox) mine.push_back(change);
      }
      if (!mine.empty()) table = table.with(mine);
    }
  }

  void check() {
    keeper_.settle();
    const auto problems = must(check_account(keeper_.durable(), account), "check");
    require(problems.empty(), problems.empty() ? "" : "invariant: " + problems.front());
    // What is kept in memory is what would be loaded.
    const AccountState loaded = must(AccountState::load(keeper_.durable(), account), "load");
    require(loaded.record == state_.record, "state: account record");
    require(loaded.containers == state_.containers, "state: containers");
    require(loaded.names == state_.names, "state: names");
    require(loaded.keywords == state_.keywords, "state: keywords");
    require(loaded.runs.size() == state_.runs.size(), "state: runs of flags");
    require(loaded.placing.size() == state_.placing.size(), "state: run of placements");
    const bool waiting =
        !state_.runs.empty() || !state_.placing.empty();  // Placements do not know all yet; packed rows do.
    for (const MailboxId mailbox : mails()) {
      auto rows = waiting ? must(load_rows(keeper_.durable(), account, loaded.containers.at(mailbox), {}), "rows")
                          : must(scan_rows(keeper_.durable(), account, mailbox, {}), "rows");
      const auto known = tables_.find(mailbox);
      if (known != tables_.end()) {
        const auto difference = diff(known->second, rows);
        require(known->second.size() == rows.size() && difference.vanished.empty() && difference.changed.empty() &&
                    difference.appeared.empty(),
                "view: the rows that were changed are not those there are");
      } else {
        tables_.emplace(mailbox, std::move(rows));
      }
    }
  }

  std::vector<MailboxId> mails() const {
    std::vector<MailboxId> found;
    for (const auto& [id, container] : state_.containers) {
      if (container.kind == ContainerKind::mail) found.push_back(id);
    }
    return found;
  }
  MailboxId any_mail() { return pick(mails()); }
  template <class T>
  T pick(const std::vector<T>& from) {
    return from[chance_.next() % from.size()];
  }
  std::vector<MailboxId> sample(std::vector<MailboxId> from, std::size_t count) {
    while (from.size() > count) from.erase(from.begin() + static_cast<std::ptrdiff_t>(chance_.next() % from.size()));
    return from;
  }

  // The first placement at or behind a random uid of a random mailbox.
  std::optional<Place> any_place() {
    auto boxes = mails();
    for (std::size_t i = boxes.size(); i > 1; --i) std::swap(boxes[i - 1], boxes[chance_.next() % i]);
    for (const MailboxId mailbox : boxes) {
      const std::uint32_t uidnext = state_.find(mailbox)->uidnext;
      const Uid from(static_cast<std::uint32_t>(chance_.between(1, uidnext)));
      if (const auto found = first_place(mailbox, from)) return found;
      if (const auto found = first_place(mailbox, Uid(1))) return found;
    }
    return std::nullopt;
  }
  std::optional<Place> first_place(MailboxId mailbox, Uid from) {
    std::optional<Place> found;
    const auto first = keys::placements(account, mailbox).take();
    const auto visit = [&](Bytes key, Bytes) {
      found = Place{mailbox, Uid(store::Parser(key.substr(first.size())).u32())};
      return false;
    };
    must(keeper_.pending().scan(keys::placement(account, mailbox, from), store::behind(first), visit), "scan");
    return found;
  }

  Flags any_flags(Transaction& t, unsigned per_mille) {
    Flags flags;
    for (const auto bit : {Flags::seen, Flags::flagged, Flags::answered}) {
      if (chance_.happens(per_mille)) flags.bits |= bit;
    }
    for (const char* name : {"work", "x"}) {
      if (chance_.happens(per_mille)) flags.keywords.push_back(must(t.keyword(name), "keyword"));
    }
    std::ranges::sort(flags.keywords);
    return flags;
  }

  Transaction::NewItem new_item(ItemKind kind, const std::string& content) {
    Transaction::NewItem item;
    item.kind = kind;
    item.blob = blob_of(content);
    item.size = static_cast<std::uint32_t>(content.size() + 100);
    item.prefix = "prefix of " + content;
    item.received = UtcTime{static_cast<std::int64_t>(step_) * 1000};
    return item;
  }
  MessageId local_id() { return MessageId(local_ < local_end_ ? local_++ : 0); }

  Item item_at(Transaction& t, Place place) {
    const auto placement = must(t.placement(place.mailbox, place.uid), "placement");
    require(placement.has_value(), "a placement that was there");
    return must(t.item(placement->item), "item");
  }

  // Both ways by which a message leaves a mailbox.
  void leave(Transaction& t, MailboxId mailbox, Uid uid) {
    if (chance_.happens(500)) {
      must(t.expunge(mailbox, uid, "somewhere"), "expunge");
    } else {
      must(t.unplace(mailbox, uid), "unplace");
    }
  }

  void operation(Transaction& t) {
    const std::uint64_t choice = chance_.next() % 1000;
    const auto place = any_place();
    if (choice < 220 || !place) return deliver(t);
    if (choice < 420) return must(t.set_flags(item_at(t, *place).id, any_flags(t, 400)), "flags");
    if (choice < 460) return must(t.set_deleted(place->mailbox, place->uid, chance_.happens(700)), "deleted");
    if (choice < 500) return flag_both(t, *place);
    if (choice < 580) return expunge(t, place->mailbox);
    if (choice < 640) return static_cast<void>(must(t.copy(place->mailbox, place->uid, any_mail()), "copy"));
    if (choice < 700) return move(t, *place);
    if (choice < 740) return set_mailboxes(t, *place);
    if (choice < 770) return destroy(t, *place);
    if (choice < 820) return edit(t, *place);
    if (choice < 825) return run(t, place->mailbox, chance_.happens(300));
    if (choice < 830) return place_many(t, place->mailbox);
    if (choice < 840) return static_cast<void>(must(t.copy_as_new(place->mailbox, place->uid, any_mail()), "copy"));
    if (choice < 860) return import(t);
    if (choice < 930) return dav(t);
    if (choice < 950) return folder(t);
    if (choice < 956)
      return static_cast<void>(must(t.expire(chance_.between(0, state_.record.modseq), 10'000), "expire"));
    if (choice < 970) return trash(t);
    destroy_and_edit(t, *place);
  }

  // STORE on many messages at once; those that are elsewhere, too, cannot be among them, unless only \Deleted changes.
  void run(Transaction& t, MailboxId mailbox, bool only_deleted) {
    const auto waiting = state_.runs.find(mailbox);
    if (waiting != state_.runs.end() && waiting->second.size() > 5) return;
    const RowTable rows = must(load_rows(keeper_.pending(), account, *t.find(mailbox), {}), "rows");
    FlagRun wanted;
    wanted.change = pick(std::vector{FlagChange::replace, FlagChange::add, FlagChange::remove});
    if (only_deleted) {
      if (wanted.change == FlagChange::replace) wanted.change = FlagChange::add;
      wanted.bits = Flags::deleted;
    } else {
      const Flags flags = any_flags(t, 400);
      wanted.bits = static_cast<std::uint8_t>(flags.bits | (chance_.happens(200) ? Flags::deleted : 0));
      wanted.keywords = flags.keywords;
    }
    std::vector<Uid> uids;
    const unsigned per_mille = chance_.happens(500) ? 1000 : 600;
    for (std::uint32_t uid = 1; uid < t.find(mailbox)->uidnext; ++uid) {
      if (!chance_.happens(per_mille)) continue;
      if (wanted.only_deleted() || !is_elsewhere(rows, Uid(uid))) uids.emplace_back(uid);
    }
    std::optional<ModSeq> unchanged_since;
    if (chance_.happens(200)) unchanged_since = ModSeq(chance_.between(1, state_.record.modseq));
    must(t.begin_runs(mailbox, plan_flags(rows, wanted, uids, unchanged_since)), "begin runs");
  }
  bool is_elsewhere(const RowTable& rows, Uid uid) {
    const auto row = rows.find(uid);
    if (!row) return false;
    const auto value = must(keeper_.pending().get(keys::item(account, rows.row(*row).item)), "item");
    return value && must(decode<Item>(*value), "item").places.size() > 1;
  }
  // A copy, move or expunge of many messages at once.
  void place_many(Transaction& t, MailboxId from) {
    const auto kind =
        pick(std::vector{PlacementRun::Kind::copy, PlacementRun::Kind::move, PlacementRun::Kind::expunge});
    const MailboxId to = kind == PlacementRun::Kind::expunge ? MailboxId() : any_mail();
    if (to == from) return;
    const RowTable rows = must(load_rows(keeper_.pending(), account, *t.find(from), {}), "rows");
    std::set<ItemId> there;
    if (to) {
      const RowTable others = must(load_rows(keeper_.pending(), account, *t.find(to), {}), "rows");
      for (std::size_t i = 0; i < others.size(); ++i) there.insert(others.row(i).item);
    }
    std::vector<Uid> uids;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (chance_.happens(700) && !there.contains(rows.row(i).item)) uids.push_back(rows.uid(i));
    }
    std::optional<std::span<const Uid>> named = uids;
    if (kind == PlacementRun::Kind::expunge && chance_.happens(500)) named.reset();
    auto plan = plan_placements(rows, kind, named, !named);
    require(plan.has_value(), "a plan of placements");
    if (plan->rows.empty()) return;
    plan->run.from = from;
    plan->run.to = to;
    plan->run.path = "somewhere";
    must(t.begin_placements(std::move(*plan)), "begin placements");
  }
  // What may be done while a run of placements waits: all else has it carried first.
  void meanwhile() {
    while (!state_.placing.empty() && chance_.happens(700)) {
      const std::uint64_t choice = chance_.next() % 10;
      if (choice < 4) {
        transact([&](Transaction& t) { deliver(t); });
      } else if (choice < 6) {
        transact([&](Transaction& t) { run(t, any_mail(), true); });
      } else if (choice < 7) {
        if (parameters_.check_every != 0 && chance_.happens(200)) check();
      } else if (choice < 8) {
        if (state_.placing.size() < 4) transact([&](Transaction& t) { place_many(t, any_mail()); });
      } else {
        transact([&](Transaction& t) { carry_placements(t, 3); });
      }
    }
    carry_placements_all();
  }
  void carry_placements(Transaction& t, std::size_t most) {
    require(must(t.carry_placements(most), "carry").empty(), "a message that a run could not be carried into");
  }
  void carry_placements_all() {
    while (!state_.placing.empty()) transact([&](Transaction& t) { carry_placements(t, 7); });
  }
  void carry_all() {
    carry_placements_all();
    Uid after{};
    while (!state_.runs.empty()) {
      const MailboxId mailbox = state_.runs.begin()->first;
      transact([&](Transaction& t) { after = must(t.carry_some(mailbox, after, 7), "carry"); });
    }
  }

  void deliver(Transaction& t) {
    auto item = new_item(ItemKind::email, chance_.happens(900) ? "m" + std::to_string(++made_) : "dup");
    item.flags = any_flags(t, 200);
    // Replies find their thread by the ids of what they answer.
    item.thread_keys = {chance_.next() | 1};
    if (!message_ids_.empty() && chance_.happens(300)) item.thread_keys.push_back(pick(message_ids_));
    message_ids_.push_back(item.thread_keys.front());
    const ItemId id = must(t.make_item(std::move(item)), "make item");
    const auto boxes = mails();
    for (const MailboxId to : sample(boxes, chance_.happens(800) || !state_.placing.empty() ? 1 : 2))
      must(t.place(id, to), "place");
  }
  void flag_both(Transaction& t, Place place) {  // IMAP STORE with \Deleted and others at once.
    const Item item = item_at(t, place);
    const Transaction::Deleted deleted{place.mailbox, place.uid, chance_.happens(500)};
    must(t.set_flags(item.id, any_flags(t, 300), deleted), "flags");
  }
  void expunge(Transaction& t, MailboxId mailbox) {
    for (const Uid uid : must(t.uids(mailbox), "uids")) {
      if (must(t.placement(mailbox, uid), "placement")->flags.has(Flags::deleted)) leave(t, mailbox, uid);
    }
  }
  void move(Transaction& t, Place place) {
    must(t.move(place.mailbox, place.uid, any_mail(), chance_.happens(400) ? local_id() : MessageId()), "move");
  }
  void set_mailboxes(Transaction& t, Place place) {  // JMAP Email/set mailboxIds.
    const Item item = item_at(t, place);
    const auto boxes = mails();
    const auto want = sample(boxes, chance_.between(1, std::min<std::size_t>(3, boxes.size())));
    for (const MailboxId to : want) {
      if (!item.uid_in(to)) must(t.place(item.id, to), "place");
    }
    for (const auto& [mailbox, uid] : item.places) {
      if (std::ranges::find(want, mailbox) == want.end()) must(t.unplace(mailbox, uid), "unplace");
    }
  }
  void destroy(Transaction& t, Place place) {  // JMAP Email/set destroy.
    for (const auto& [mailbox, uid] : item_at(t, place).places) leave(t, mailbox, uid);
  }
  void edit(Transaction& t, Place place) {
    const auto content = "e" + std::to_string(++made_);
    const auto mid = must(t.placement(place.mailbox, place.uid), "placement")->mid;
    must(t.edit(mid, blob_of(content), 50, "change key " + content), "edit");
  }
  // The last message of a thread goes and comes again in one commit: the thread must not die and revive.
  void destroy_and_edit(Transaction& t, Place place) {
    const Item item = item_at(t, place);
    destroy(t, place);
    auto again = new_item(ItemKind::email, "again" + std::to_string(++made_));
    again.thread = item.thread;
    must(t.place(must(t.make_item(std::move(again)), "make item"), any_mail()), "place");
  }
  void import(Transaction& t) {  // Made offline by Outlook, under an id that was reserved for it.
    const MessageId mid = local_id();
    if (!mid) return;
    auto item = new_item(ItemKind::email, "o" + std::to_string(++made_));
    const ItemId id = must(t.make_item(std::move(item)), "make item");
    must(t.place(id, any_mail(), {.mid = mid, .version = "pcl"}), "place");
  }
  void dav(Transaction& t) {
    const std::string name = std::to_string(chance_.next() % 13) + ".ics";
    const auto uid = must(t.find_name(calendar_, name), "name");
    const auto content = "v" + std::to_string(++made_);
    if (!uid) {
      const ItemId id = must(t.make_item(new_item(ItemKind::event, content)), "make item");
      must(t.place(id, calendar_, {.name = name}), "place");
    } else if (chance_.happens(300)) {
      must(t.unplace(calendar_, *uid), "unplace");
    } else {
      const auto mid = must(t.placement(calendar_, *uid), "placement")->mid;
      must(t.edit(mid, blob_of(content), 60, {}), "edit");
    }
  }
  void folder(Transaction& t) {
    const Container* there = t.child({}, "New");
    if (there == nullptr) {
      make(t, "New", ContainerKind::mail);
    } else if (const MailboxId id = there->id; chance_.happens(600)) {
      for (const Uid uid : must(t.uids(id), "uids")) leave(t, id, uid);
      must(t.remove_container(id), "remove container");
      tables_.erase(id);
    } else {
      must(t.rename_container(id, {}, "R" + std::to_string(step_)), "rename");
    }
  }
  void trash(Transaction& t) {
    const MailboxId trash_can(state_.record.trash);
    if (!trash_can) return;
    const auto waiting = must(t.uids(trash_can), "uids");
    if (waiting.empty()) return;
    if (chance_.happens(500)) {
      must(t.purge(pick(waiting)), "purge");
      return;
    }
    must(t.undelete(pick(waiting), any_mail()), "undelete");
  }

  Keeper& keeper_;
  Run parameters_;
  sim::Random chance_;
  Reading reading_;
  AccountState state_;
  Statistics statistics_;
  std::vector<MailboxId> mail_;
  MailboxId calendar_;
  std::uint64_t local_ = 0, local_end_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::uint64_t> message_ids_;
  std::map<MailboxId, RowTable> tables_;  // As views are: only ever changed by effects.
  std::uint64_t made_ = 0;
  std::size_t step_ = 0;
  bool backed_up_ = false;
};

}  // namespace

Statistics run(Keeper& keeper, const Run& parameters) { return Server(keeper, parameters).work(); }

}  // namespace facteur::mailbox::model
