// Mailboxes that only take mail: for tests of what files it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mailbox/mailboxes.hpp"
#include "store/key.hpp"

namespace facteur::mailbox {

class FakeMailboxes : public Mailboxes {
 public:
  explicit FakeMailboxes(store::Engine& engine) : engine_(engine) {}

  struct Filed {
    AccountId account;
    std::string text;  // Prefix and content.
  };
  std::map<std::uint32_t, Failure> failures;  // By account.

  // What the store has: also what was committed for a caller who died before he heard of it.
  std::vector<Filed> filed() const {
    std::vector<Filed> out;
    auto scanned = engine_.latest().scan("F", "G", [&](Bytes, Bytes value) {
      store::Parser parser(value);
      const AccountId account(parser.u32());
      std::string text(parser.string());
      out.push_back({account, text + (**engine_.content(BlobId::from(parser.raw(32)))).text()});
      return true;
    });
    if (!scanned) throw Bug("the store cannot be read");
    return out;
  }

  Task<Result<std::vector<Placed>>> file(NewMessage message, std::vector<Placing> placings,
                                         store::Batch also) override {
    for (const auto& placing : placings) {
      const auto at = failures.find(placing.account.value);
      if (at != failures.end()) co_return std::unexpected(at->second);
    }
    auto upload = engine_.upload();
    if (!message.upload) {
      auto appended = co_await upload->append(message.octets);
      if (!appended) co_return failed(appended);
    } else {
      upload = std::move(message.upload);
    }
    const auto id = upload->finish();
    also.add_blob(std::move(upload));
    for (const auto& placing : placings) {
      also.reference(id, "copy " + std::to_string(placing.account.value));
      also.put(store::Key('F').u64(++count_),
               store::Key().u32(placing.account.value).string(placing.prefix).raw(id.bytes()));
    }
    auto done = co_await engine_.commit(std::move(also));
    if (!done) co_return failed(done);
    co_return std::vector<Placed>(placings.size());
  }

  // ---- the rest is not asked here
  Task<Result<void>> create_account(AccountId) override { co_return no(); }
  Task<Result<void>> remove_account(AccountId) override { co_return no(); }
  Task<Result<void>> set_closed(AccountId, bool) override { co_return no(); }
  Result<Usage> usage(AccountId account) const override {
    Usage out;
    for (const auto& one : filed()) {
      if (one.account == account) out.bytes += one.text.size();
    }
    return out;
  }
  Task<Result<std::vector<MailboxSummary>>> list(AccountId) override { co_return no(); }
  Task<Result<std::optional<MailboxSummary>>> find(AccountId, std::string) override { co_return no(); }
  Task<Result<MailboxId>> create(AccountId, std::string, Role) override { co_return no(); }
  Task<Result<void>> remove(AccountId, std::string) override { co_return no(); }
  Task<Result<void>> rename(AccountId, std::string, std::string) override { co_return no(); }
  Task<Result<void>> subscribe(AccountId, std::string, bool) override { co_return no(); }
  Task<Result<std::vector<std::string>>> subscriptions(AccountId) override { co_return no(); }
  Task<Result<std::shared_ptr<const View>>> view(AccountId, MailboxId) override { co_return no(); }
  Task<Result<MessageText>> text(AccountId, const Row&) override { co_return no(); }
  Task<Result<std::string>> structure(AccountId, const Row&) override { co_return no(); }
  Task<Result<void>> structures(AccountId, std::shared_ptr<const View>, std::size_t, std::size_t, Parts,
                                const StructureVisit&) override {
    co_return no();
  }
  Task<Result<void>> texts(AccountId, std::shared_ptr<const View>, std::size_t, std::size_t, Parts,
                           const TextVisit&) override {
    co_return no();
  }
  Result<std::vector<std::string>> keywords(AccountId) const override { return no(); }
  Task<Result<std::optional<ViewChanges>>> changes(AccountId, MailboxId, ModSeq) override { co_return no(); }
  std::unique_ptr<Watch> watch(AccountId, MailboxId, Wakeup&) override { return nullptr; }
  Task<Result<std::vector<Placed>>> append(AccountId, MailboxId, std::vector<std::pair<NewMessage, Placing>>) override {
    co_return no();
  }
  Task<Result<StoredFlags>> store_flags(AccountId, MailboxId, std::vector<Uid>, FlagChange, std::uint8_t,
                                        std::vector<std::string>, std::optional<ModSeq>) override {
    co_return no();
  }
  Task<Result<Copied>> copy(AccountId, MailboxId, std::vector<Uid>, MailboxId) override { co_return no(); }
  Task<Result<Copied>> move(AccountId, MailboxId, std::vector<Uid>, MailboxId) override { co_return no(); }
  Task<Result<std::vector<Uid>>> expunge(AccountId, MailboxId, std::optional<std::vector<Uid>>, bool) override {
    co_return no();
  }
  Task<Result<std::vector<Deleted>>> deleted(AccountId) override { co_return no(); }
  Task<Result<std::vector<Placed>>> undelete(AccountId, std::vector<Uid>) override { co_return no(); }
  Task<Result<Checked>> check(AccountId, bool) override { co_return no(); }
  Task<void> start_anew(AccountId) override { co_return; }
  Task<Result<std::vector<AccountId>>> stored_accounts() override { co_return no(); }
  Task<Result<std::vector<Holding>>> orphans() override { co_return no(); }
  Task<Result<std::vector<Holding>>> holders(std::vector<BlobId>) override { co_return no(); }
  Task<Result<Placed>> rescue(Holding, AccountId) override { co_return no(); }
  Task<Result<Housekept>> housekeep(AccountId, UtcTime, UtcTime) override { co_return no(); }
  Task<void> finished() override { co_return; }

 private:
  static std::unexpected<Failure> no() { return failure(Failure::Kind::permanent, "F-7098", "Not in this test"); }
  store::Engine& engine_;
  std::uint64_t count_ = 0;
};

}  // namespace facteur::mailbox
