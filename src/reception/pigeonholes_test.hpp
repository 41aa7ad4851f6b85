// Mailboxes of which only file() and usage() work: enough to see what the reception puts where, by the real engine's
// commits. Everything else is not called by the reception and fails.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/mailboxes.hpp"
#include "store/key.hpp"

namespace facteur::reception::test {

class Pigeonholes : public mailbox::Mailboxes {
 public:
  explicit Pigeonholes(store::Engine& engine) : engine_(engine) {}

  struct Copy {
    mailbox::AccountId account;
    std::string prefix;
    std::string content;
  };
  // Durable ones only.
  std::vector<Copy> copies() const {
    std::vector<Copy> found;
    const store::Key first('x');
    auto scanned = engine_.latest().scan(first, store::behind(first), [&](Bytes, Bytes value) {
      store::Parser parser(value);
      Copy copy;
      copy.account = mailbox::AccountId(parser.u32());
      copy.prefix = parser.string();
      const auto blob = store::BlobId::from(parser.raw(32));
      if (auto content = engine_.content(blob); content && *content) copy.content = (*content)->text();
      found.push_back(std::move(copy));
      return true;
    });
    return scanned ? found : std::vector<Copy>();
  }
  std::map<std::uint32_t, std::uint64_t> used;  // Octets, by account.
  std::string last_head;                        // Of the message filed last: what came beside its upload.

  Result<Usage> usage(mailbox::AccountId account) const override {
    const auto at = used.find(account.value);
    return Usage{.bytes = at == used.end() ? 0 : at->second, .messages = 0};
  }

  Task<Result<std::vector<mailbox::Placed>>> file(mailbox::NewMessage message, std::vector<mailbox::Placing> placings,
                                                  store::Batch also) override {
    const auto blob = message.upload->finish();
    last_head = std::move(message.head);
    store::Batch batch;
    batch.add_blob(std::move(message.upload));
    std::vector<mailbox::Placed> placed;
    for (const auto& placing : placings) {
      const store::Key key = store::Key('x').u64(++count_);
      batch.put(key, store::Key().u32(placing.account.value).string(placing.prefix).raw(blob.bytes()));
      batch.reference(blob, key);
      placed.push_back({});
    }
    batch.join(std::move(also));
    auto committed = co_await engine_.commit(std::move(batch));
    if (!committed) co_return failed(committed);
    co_return placed;
  }

  Task<Result<void>> create_account(mailbox::AccountId) override { return nothing<void>(); }
  Task<Result<void>> remove_account(mailbox::AccountId) override { return nothing<void>(); }
  Task<Result<void>> set_closed(mailbox::AccountId, bool) override { return nothing<void>(); }
  Task<Result<std::vector<mailbox::MailboxSummary>>> list(mailbox::AccountId) override {
    return nothing<std::vector<mailbox::MailboxSummary>>();
  }
  Task<Result<std::optional<mailbox::MailboxSummary>>> find(mailbox::AccountId, std::string) override {
    return nothing<std::optional<mailbox::MailboxSummary>>();
  }
  Task<Result<mailbox::MailboxId>> create(mailbox::AccountId, std::string, mailbox::Role) override {
    return nothing<mailbox::MailboxId>();
  }
  Task<Result<void>> remove(mailbox::AccountId, std::string) override { return nothing<void>(); }
  Task<Result<void>> rename(mailbox::AccountId, std::string, std::string) override { return nothing<void>(); }
  Task<Result<void>> subscribe(mailbox::AccountId, std::string, bool) override { return nothing<void>(); }
  Task<Result<std::vector<std::string>>> subscriptions(mailbox::AccountId) override {
    return nothing<std::vector<std::string>>();
  }
  Task<Result<std::shared_ptr<const mailbox::View>>> view(mailbox::AccountId, mailbox::MailboxId) override {
    return nothing<std::shared_ptr<const mailbox::View>>();
  }
  Task<Result<mailbox::MessageText>> text(mailbox::AccountId, const mailbox::Row&) override {
    return nothing<mailbox::MessageText>();
  }
  Task<Result<std::string>> structure(mailbox::AccountId, const mailbox::Row&) override {
    return nothing<std::string>();
  }
  Task<Result<void>> structures(mailbox::AccountId, std::shared_ptr<const mailbox::View>, std::size_t, std::size_t,
                                Parts, const StructureVisit&) override {
    return nothing<void>();
  }
  Task<Result<void>> texts(mailbox::AccountId, std::shared_ptr<const mailbox::View>, std::size_t, std::size_t, Parts,
                           const TextVisit&) override {
    return nothing<void>();
  }
  Result<std::vector<std::string>> keywords(mailbox::AccountId) const override { return std::vector<std::string>(); }
  Task<Result<std::optional<mailbox::ViewChanges>>> changes(mailbox::AccountId, mailbox::MailboxId,
                                                            mailbox::ModSeq) override {
    return nothing<std::optional<mailbox::ViewChanges>>();
  }
  std::unique_ptr<Watch> watch(mailbox::AccountId, mailbox::MailboxId, Wakeup&) override { return nullptr; }
  Task<Result<std::vector<mailbox::Placed>>> append(
      mailbox::AccountId, mailbox::MailboxId, std::vector<std::pair<mailbox::NewMessage, mailbox::Placing>>) override {
    return nothing<std::vector<mailbox::Placed>>();
  }
  Task<Result<mailbox::StoredFlags>> store_flags(mailbox::AccountId, mailbox::MailboxId, std::vector<mailbox::Uid>,
                                                 mailbox::FlagChange, std::uint8_t, std::vector<std::string>,
                                                 std::optional<mailbox::ModSeq>) override {
    return nothing<mailbox::StoredFlags>();
  }
  Task<Result<mailbox::Copied>> copy(mailbox::AccountId, mailbox::MailboxId, std::vector<mailbox::Uid>,
                                     mailbox::MailboxId) override {
    return nothing<mailbox::Copied>();
  }
  Task<Result<mailbox::Copied>> move(mailbox::AccountId, mailbox::MailboxId, std::vector<mailbox::Uid>,
                                     mailbox::MailboxId) override {
    return nothing<mailbox::Copied>();
  }
  Task<Result<std::vector<mailbox::Uid>>> expunge(mailbox::AccountId, mailbox::MailboxId,
                                                  std::optional<std::vector<mailbox::Uid>>, bool) override {
    return nothing<std::vector<mailbox::Uid>>();
  }
  Task<Result<std::vector<Deleted>>> deleted(mailbox::AccountId) override { return nothing<std::vector<Deleted>>(); }
  Task<Result<std::vector<mailbox::Placed>>> undelete(mailbox::AccountId, std::vector<mailbox::Uid>) override {
    return nothing<std::vector<mailbox::Placed>>();
  }
  Task<void> finished() override { co_return; }
  Task<Result<Checked>> check(mailbox::AccountId, bool) override { return nothing<Checked>(); }
  Task<void> start_anew(mailbox::AccountId) override { co_return; }
  Task<Result<std::vector<mailbox::AccountId>>> stored_accounts() override {
    return nothing<std::vector<mailbox::AccountId>>();
  }
  Task<Result<std::vector<Holding>>> orphans() override { return nothing<std::vector<Holding>>(); }
  Task<Result<std::vector<Holding>>> holders(std::vector<mailbox::BlobId>) override {
    return nothing<std::vector<Holding>>();
  }
  Task<Result<mailbox::Placed>> rescue(Holding, mailbox::AccountId) override { return nothing<mailbox::Placed>(); }
  Task<Result<Housekept>> housekeep(mailbox::AccountId, UtcTime, UtcTime) override { return nothing<Housekept>(); }

 private:
  template <class T>
  Task<Result<T>> nothing() {
    co_return failure(Failure::Kind::permanent, "F-0000", "Not in these mailboxes");
  }

  store::Engine& engine_;
  std::uint64_t count_ = 0;
};

}  // namespace facteur::reception::test
