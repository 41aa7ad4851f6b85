#include "mailbox/imports.hpp"

#include "mailbox/keys.hpp"

namespace facteur::mailbox {

Result<std::vector<bool>> imported_before(const store::Reader& reader, AccountId account, MailboxId mailbox,
                                          std::span<const std::string> sources) {
  std::vector<bool> known;
  for (const std::string& source : sources) {
    if (source.empty()) {
      known.push_back(false);
      continue;
    }
    auto found = reader.get(keys::source(account, mailbox, source).take());
    if (!found) return failed(found);
    known.push_back(found->has_value());
  }
  return known;
}

}  // namespace facteur::mailbox
