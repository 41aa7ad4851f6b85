// Readers of the acceptance test. Each keeps only what its protocol lets a client keep.
#include "mailbox/model_test.hpp"

namespace facteur::mailbox::model {
namespace {

template <class T>
const T& one_of(const std::vector<T>& choices, sim::Random& chance) {
  return choices[chance.next() % choices.size()];
}

Flags visible(const Placement& placement) { return placement.flags; }

// QRESYNC on one mailbox, by name.
class Imap final : public Client {
 public:
  explicit Imap(std::string name) : name_(std::move(name)) {}

  void sync(const Reading& reading, sim::Random&) override {
    const auto container = reading.by_name(name_);
    if (!container) {
      rows_.clear();
      uidvalidity_ = {};
      return;
    }
    const auto live = reading.placements(container->id);
    std::map<Uid, Flags> want;
    for (const auto& [uid, placement] : live) want[uid] = visible(placement);
    if (uidvalidity_ != container->uidvalidity) {
      rows_ = want;
    } else if (auto changes = must(collection_changes(reading.from(), account, container->id, known_), "changes")) {
      for (const auto& entry : changes->entries) {
        if (entry.vanished) {
          rows_.erase(entry.uid);
        } else {
          require(live.contains(entry.uid), "imap: a changed row does not exist");
          rows_[entry.uid] = want[entry.uid];
        }
      }
    } else {
      rows_ = want;
    }
    // RFC 9051 §2.3.1.1: what is behind a UIDVALIDITY and a UID never changes, though the client has thrown it away.
    for (const auto& [uid, placement] : live) {
      const BlobId blob = reading.item(placement.item).blob;
      const auto& known = contents_.try_emplace({container->uidvalidity, uid}, blob).first->second;
      require(known == blob, "imap: content behind a UID has changed");
    }
    uidvalidity_ = container->uidvalidity;
    known_ = container->high;
    require(rows_ == want, "imap: " + name_ + " is not as on the server");
  }

 private:
  std::string name_;
  UidValidity uidvalidity_;
  std::uint64_t known_ = 0;
  std::map<Uid, Flags> rows_;
  std::map<std::pair<UidValidity, Uid>, BlobId> contents_;
};

// Four types, in pages, sometimes given up midway.
class Jmap final : public Client {
 public:
  void sync(const Reading& reading, sim::Random& chance) override {
    for (const Type type : {Type::mailbox, Type::email, Type::thread, Type::event}) {
      if (!sync_type(reading, type, chance)) return;
    }
    for (const auto& [id, item] : reading.all<Item>('I')) {
      if (item.kind != ItemKind::email) continue;
      require(contents_.try_emplace(id, item.blob).first->second == item.blob, "jmap: an Email's content has changed");
    }
  }

 private:
  using Objects = std::map<std::uint64_t, std::string>;

  static Objects live(const Reading& reading, Type type) {
    Objects found;
    if (type == Type::mailbox) {
      for (const auto& [id, c] : reading.all<Container>('C')) {
        if (c.kind != ContainerKind::mail) continue;
        found[id] = c.name + "/" + std::to_string(c.total) + "/" + std::to_string(c.unread) + "/" +
                    std::to_string(c.threads) + "/" + std::to_string(c.unread_threads);
      }
    } else if (type == Type::thread) {
      for (const auto& [id, thread] : reading.all<Thread>('r')) {
        std::set<std::uint64_t> items;
        for (const auto item : thread.items) items.insert(item.value);
        for (const auto item : items) found[id] += std::to_string(item) + " ";
      }
    } else {
      for (const auto& [id, item] : reading.all<Item>('I')) {
        if (item.hidden || type_of(item.kind) != type) continue;
        std::set<std::uint64_t> places;
        for (const auto& place : item.places) places.insert(place.first.value);
        std::string text(item.kind == ItemKind::email ? Bytes() : item.blob.bytes());
        if (item.kind == ItemKind::email) {
          text += std::to_string(item.flags.bits);
          for (const auto keyword : item.flags.keywords) text += "," + std::to_string(keyword);
          for (const auto place : places) text += " " + std::to_string(place);
        }
        found[id] = std::move(text);
      }
    }
    return found;
  }

  // False: given up midway.
  bool sync_type(const Reading& reading, Type type, sim::Random& chance) {
    const auto want = live(reading, type);
    const auto state = reading.record().state[static_cast<std::size_t>(type)];
    auto [known, first] = states_.try_emplace(type, state);
    auto& objects = objects_[type];
    if (first) {
      objects = want;
      return true;
    }
    for (bool more = true; more;) {
      const auto page = one_of<std::size_t>({0, 1, 2, 5}, chance);
      auto changes = must(object_changes(reading.from(), account, type, known->second, page), "object changes");
      if (!changes) {
        objects = want;
        known->second = state;
        break;
      }
      for (const auto* ids : {&changes->created, &changes->updated}) {
        for (const auto id : *ids) {
          const auto found = want.find(id);
          if (found == want.end()) {
            objects.erase(id);
          } else {
            objects[id] = found->second;
          }
        }
      }
      for (const auto id : changes->destroyed) objects.erase(id);
      known->second = changes->up_to;
      more = changes->more;
      if (more && chance.happens(300)) return false;
    }
    require(objects == want, "jmap: type " + std::to_string(static_cast<int>(type)) + " is not as on the server");
    return true;
  }

  std::map<Type, std::uint64_t> states_;
  std::map<Type, Objects> objects_;
  std::map<std::uint64_t, BlobId> contents_;
};

// sync-collection in pages, by href.
class Dav final : public Client {
 public:
  explicit Dav(MailboxId collection) : collection_(collection) {}

  void sync(const Reading& reading, sim::Random& chance) override {
    const auto container = reading.container(collection_);
    if (!container) return;
    std::map<std::string, BlobId> want;
    const auto live = reading.placements(collection_);
    for (const auto& [uid, placement] : live) want[placement.name.value_or("?")] = reading.item(placement.item).blob;
    for (bool more = token_.has_value(); more;) {
      const auto page = one_of<std::size_t>({0, 1, 3}, chance);
      auto changes = must(collection_changes(reading.from(), account, collection_, *token_, page), "changes");
      if (!changes) {
        token_.reset();
        break;
      }
      for (const auto& entry : changes->entries) {
        if (entry.vanished) {
          members_.erase(entry.name.value_or("?"));
        } else {
          require(live.contains(entry.uid), "dav: a changed member does not exist");
          const auto& placement = live.at(entry.uid);
          members_[placement.name.value_or("?")] = reading.item(placement.item).blob;
        }
      }
      token_ = changes->up_to;
      more = changes->more;
      if (more && chance.happens(300)) return;
    }
    if (!token_) {
      members_ = want;
      token_ = container->high;
    }
    require(members_ == want, "dav: the collection is not as on the server");
  }

 private:
  MailboxId collection_;
  std::optional<std::uint64_t> token_;
  std::map<std::string, BlobId> members_;
};

// MAPI cached mode on one folder: the state lives in the client only, transfers break anywhere (OXCFXICS).
class Ics final : public Client {
 public:
  explicit Ics(MailboxId folder) : folder_(folder) {}

  void sync(const Reading& reading, sim::Random& chance) override {
    if (!reading.container(folder_)) return;
    // Ids and change numbers are of a replica (OXCFXICS): another one is unknown.
    if (const auto replica = reading.record().replica; std::exchange(replica_, replica) != replica) {
      seen_.clear();
      read_.clear();
    }
    std::map<MessageId, Placement> live;
    for (auto& [uid, placement] : reading.placements(folder_)) live.emplace(placement.mid, placement);
    std::vector<Placement> changed, read;
    for (const auto& [mid, placement] : live) {
      if (!seen_.contains(placement.cn)) {
        changed.push_back(placement);
      } else if (!read_.contains(placement.read_cn)) {
        read.push_back(placement);
      }
    }
    for (std::size_t i = changed.size(); i > 1; --i) std::swap(changed[i - 1], changed[chance.next() % i]);
    const bool broken = !changed.empty() && chance.happens(300);
    if (broken) changed.resize(chance.next() % changed.size());
    for (const auto& placement : changed) {
      messages_[placement.mid] = shown(reading, placement);
      seen_.insert(placement.cn);
      read_.insert(placement.read_cn);
    }
    if (broken) return;
    std::erase_if(messages_, [&](const auto& entry) { return !live.contains(entry.first); });
    for (const auto& placement : read) {
      messages_[placement.mid].seen = placement.flags.has(Flags::seen);
      read_.insert(placement.read_cn);
    }
    std::map<MessageId, Message> want;
    for (const auto& [mid, placement] : live) want[mid] = shown(reading, placement);
    require(messages_ == want, "ics: the folder is not as on the server");
  }

 private:
  struct Message {
    BlobId blob;
    Flags flags;
    bool seen = false;
    friend bool operator==(const Message&, const Message&) = default;
  };
  static Message shown(const Reading& reading, const Placement& placement) {
    Message message{reading.item(placement.item).blob, placement.flags, placement.flags.has(Flags::seen)};
    message.flags.bits &= static_cast<std::uint8_t>(~(Flags::seen | Flags::deleted));
    return message;
  }

  MailboxId folder_;
  std::array<char, 16> replica_{};
  std::set<std::uint64_t> seen_, read_;
  std::map<MessageId, Message> messages_;
};

}  // namespace

std::unique_ptr<Client> imap_client(std::string name) { return std::make_unique<Imap>(std::move(name)); }
std::unique_ptr<Client> jmap_client() { return std::make_unique<Jmap>(); }
std::unique_ptr<Client> dav_client(MailboxId collection) { return std::make_unique<Dav>(collection); }
std::unique_ptr<Client> ics_client(MailboxId folder) { return std::make_unique<Ics>(folder); }

}  // namespace facteur::mailbox::model
