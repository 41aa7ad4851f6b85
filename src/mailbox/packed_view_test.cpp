#include "mailbox/packed_view.hpp"

#include "mailbox/keys.hpp"
#include "mailbox/records.hpp"
#include "mailbox/stage_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;

TEST_CASE("a mailbox whose record counts more or fewer messages than there are: those there are, served, and no more") {
  for (const int wrong : {2, -1, -3}) {
    Stage stage;
    for (const char* subject : {"a", "b", "c"}) stage.deliver(anne, std::string("Subject: ") + subject + "\r\n\r\n");
    const MailboxId inbox = stage.box(anne, "INBOX").id;
    const auto key = keys::container(anne, inbox).take();
    auto container = decode<Container>(stage.engine->latest().get(key)->value());
    REQUIRE(container);
    container->total = static_cast<std::uint32_t>(static_cast<int>(container->total) + wrong);
    store::Batch batch;
    batch.put(key, encode(*container));
    REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
    stage.restart();
    const auto view = stage.view(anne, "INBOX");
    const std::size_t said = view->size();
    CHECK(static_cast<int>(said) == 3 + wrong);
    for (std::size_t i = 0; i < said; ++i) CHECK(static_cast<bool>(view->row(i).item) == (i < 3));
    CHECK(!view->row(1000).item);
    CHECK(view->size() == 3);  // From now on it is known.
    CHECK(shown(*view) == "1 2 3");
    CHECK(stage.text(anne, view->row(2)) == "Subject: c\r\n\r\n");
    CHECK(!stage.run(stage.mailboxes->text(anne, view->row(1000))));
    CHECK(!stage.get(stage.mailboxes->check(anne, true)).problems.empty());
    CHECK(stage.view(anne, "INBOX")->size() == 3);
  }
}
