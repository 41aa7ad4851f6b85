#include "server/imap_service.hpp"

#include <memory>
#include <utility>

#include "server/imap_connection.hpp"

namespace facteur::server {
namespace {

class ImapService : public Service {
 public:
  ImapService(const ImapDoors& doors, const config::Limits& limits, std::shared_ptr<RecentBook> recent)
      : doors_(doors), limits_(limits), recent_(std::move(recent)), started_(doors.clock.utc()) {}

  // No coroutine itself: its frame would hold the connection twice.
  Task<void> serve(Connection connection) override {
    return run(std::make_unique<ImapConnection>(doors_, limits_, *recent_, started_, std::move(connection)));
  }

 private:
  static Task<void> run(std::unique_ptr<ImapConnection> serving) { co_await serving->run(); }

  ImapDoors doors_;
  config::Limits limits_;
  std::shared_ptr<RecentBook> recent_;
  UtcTime started_;
};

}  // namespace

std::shared_ptr<RecentBook> make_recent_book() { return std::make_shared<RecentBook>(); }

std::unique_ptr<Service> make_imap_service(ImapDoors doors, const config::Limits& limits,
                                           std::shared_ptr<RecentBook> recent) {
  return std::make_unique<ImapService>(doors, limits, std::move(recent));
}

}  // namespace facteur::server
