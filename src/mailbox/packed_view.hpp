// The one implementation of View: a summary that costs one read, and rows that are loaded when somebody asks for them.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>

#include "mailbox/rows.hpp"
#include "mailbox/view.hpp"
#include "store/engine.hpp"

namespace facteur::mailbox {

class PackedView final : public View {
 public:
  // Rows are read from `snapshot` at the first need (then it is let go). `damage` may be called from any thread.
  PackedView(AccountId account, Container container, std::shared_ptr<const store::Reader> snapshot, Damage damage);
  PackedView(AccountId account, Container container, RowTable rows);

  AccountId account() const override { return account_; }
  MailboxId mailbox() const override { return container_.id; }
  UidValidity uidvalidity() const override { return container_.uidvalidity; }
  Uid uidnext() const override { return Uid(container_.uidnext); }
  ModSeq highest_modseq() const override { return ModSeq(container_.high); }
  std::size_t size() const override;
  // Nothing in it, not even a uid, where the mailbox's record counts more messages than there are.
  Row row(std::size_t index) const override;
  void each(std::size_t first, std::size_t last, const RowVisit& visit) const override;
  std::optional<std::size_t> find(Uid uid) const override { return rows().find(uid); }
  std::size_t lower_bound(Uid uid) const override;
  std::optional<std::size_t> first_unseen() const override;
  Uid arrived_since(UtcTime since, std::size_t most) const override;

  const Container& container() const { return container_; }
  bool loaded() const { return ready_.load(std::memory_order_acquire) != nullptr; }
  const RowTable& rows() const;  // Loads them if needed: may block. Any thread.

  // The view after `changes`, of which those that are in this one already are left out.
  std::shared_ptr<const PackedView> with(const Container& container, std::span<const RowChange> changes) const;

 private:
  AccountId account_;
  Container container_;
  mutable std::mutex loading_;
  mutable std::shared_ptr<const store::Reader> snapshot_;
  mutable RowTable rows_;
  mutable std::atomic<const RowTable*> ready_{nullptr};
  Damage damage_;
};

}  // namespace facteur::mailbox
