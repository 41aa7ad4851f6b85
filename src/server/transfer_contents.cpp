// export.contents: what the messages of a mailbox are, without their octets. What a restore compares.
#include "base/base64.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/records.hpp"
#include "message/structure.hpp"
#include "server/transfers.hpp"

namespace facteur::server {
namespace {

Task<void> add_texts(const CommandDoors& doors, mailbox::AccountId account, const mailbox::Row& row,
                     json::object& message) {
  const auto record = co_await doors.mailboxes.structure(account, row);
  const auto structure = record ? message::Structure::open(*record) : std::nullopt;
  if (!structure) co_return;
  message["from"] = structure->text(message::HeaderText::from);
  message["subject"] = structure->text(message::HeaderText::subject);
}

// The hash of the content as it was received: the same message in two mailboxes or stores has the same.
std::string content_of(const CommandDoors& doors, mailbox::AccountId account, const mailbox::Row& row) {
  const auto value = doors.engine.latest().get(mailbox::keys::item(account, row.item));
  if (!value || !*value) return {};
  const auto item = mailbox::decode<mailbox::Item>(**value);
  return item ? to_hex(item->blob.bytes()) : std::string();
}

}  // namespace

Task<Result<Transferred>> list_contents(const CommandDoors& doors, const Asked& asked) {
  auto opened = co_await open_mailbox_of(doors, asked);
  if (!opened && opened.error().code == no_mailbox_to_export) {
    co_return Transferred{json::object{{"messages", json::array()}, {"last", 0}, {"more", false}}, {}};
  }
  if (!opened) co_return failed(opened);
  const auto& view = *opened->view;
  const bool texts = asked.flag("texts");
  json::array messages;
  std::uint64_t last = asked.number("after").value_or(0);
  std::size_t at =
      last >= UINT32_MAX ? view.size() : view.lower_bound(mailbox::Uid(static_cast<std::uint32_t>(last + 1)));
  for (; at < view.size() && messages.size() < transfer_messages; ++at) {
    const mailbox::Row row = view.row(at);
    last = row.uid.value;
    json::object message{{"uid", row.uid.value},
                         {"id", row.mid.value},
                         {"content", content_of(doors, opened->account, row)},
                         {"size", row.size},
                         {"received", row.received.milliseconds}};
    if (texts) co_await add_texts(doors, opened->account, row, message);
    messages.push_back(std::move(message));
  }
  co_return Transferred{json::object{{"messages", std::move(messages)}, {"last", last}, {"more", at < view.size()}},
                        {}};
}

}  // namespace facteur::server
