// The one implementation of Arrival.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reception/header_check.hpp"
#include "reception/large_headers.hpp"
#include "reception/reception.hpp"

namespace facteur::reception {

struct Taken {  // A recipient we said 250 to.
  message::Address address;
  smtp::RcptParameters parameters;
  routing::Resolution resolution;
};
struct Mail {  // The message under way.
  std::optional<message::Address> sender;
  smtp::MailParameters parameters;
  std::vector<Taken> recipients;
  std::unique_ptr<store::Upload> upload;
  std::string header;  // What has come of it; once its end has come, its first octets.
  LargeHeaders::Hold held;
  bool header_done = false;
  HeaderFacts facts;
  bool eight_bit = false;
};

class StoreArrival : public Arrival {
 public:
  StoreArrival(Surroundings surroundings, std::shared_ptr<const Parameters> parameters,
               std::shared_ptr<LargeHeaders> large_headers, const Client& client, observe::Scope scope);
  ~StoreArrival() override;

  Task<smtp::Reply> on(const smtp::AcceptClient&) override;
  Task<smtp::Reply> on(const smtp::Greeted& greeted) override;
  Task<smtp::Reply> on(const smtp::AcceptSender& sender) override;
  Task<smtp::Reply> on(const smtp::AcceptRecipient& recipient) override;
  Task<smtp::Reply> on(const smtp::AppendContent& content) override;
  Task<smtp::Reply> on(const smtp::AcceptContent&) override;

  Task<smtp::Reply> on(const smtp::Verify& name) override;
  Task<smtp::Reply> on(const smtp::StartQueue& queue) override;

  void forget_mail() override { mail_.reset(); }
  void secured(std::string protocol, std::string cipher) override;
  void logged_in(directory::AccountId account, std::string login) override;
  void logged_out() override;
  std::uint64_t messages() const override { return messages_; }

 private:
  struct Settlement;  // Where everything goes, in one commit.

  smtp::Reply judge_sender(const smtp::AcceptSender& sender);
  smtp::Reply judge_recipient(const smtp::AcceptRecipient& recipient);
  std::optional<smtp::Reply> mailbox_refuses(const routing::Destination& destination) const;
  Task<smtp::Reply> take_header(Bytes header, Bytes rest);
  std::optional<smtp::Reply> judge_header() const;
  std::optional<smtp::Reply> judge_from() const;
  std::optional<smtp::Reply> judge_stranger() const;
  bool loops() const;
  Settlement settlement(queue::QueueId id, const store::BlobId& content);
  void place(Settlement& to, const Taken& taken, const std::string& common);
  void enqueue(Settlement& to, const Taken& taken, const routing::Destination* destination, const std::string& common);
  queue::Entry new_entry(queue::QueueId id, const store::BlobId& content, std::string prefix) const;
  std::string received_field(const std::string& id, UtcTime at) const;
  std::string missing_fields(const std::string& id, UtcTime at) const;
  Task<Result<void>> commit(Settlement& settlement);
  void report(const Settlement& settlement, const Result<void>& outcome) const;
  observe::Event event(std::string_view name) const { return scope_.event(name); }

  Surroundings with_;
  std::shared_ptr<const Parameters> parameters_;
  std::shared_ptr<LargeHeaders> large_headers_;  // Before mail_, which holds some of it.
  Client client_;
  observe::Scope scope_;
  std::string helo_;
  bool extended_ = false;
  bool tls_ = false;
  std::string tls_protocol_, tls_cipher_;
  std::optional<directory::AccountId> account_;
  std::string login_;
  std::optional<Mail> mail_;
  std::uint64_t messages_ = 0;
};

}  // namespace facteur::reception
