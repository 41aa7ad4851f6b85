// The table of catalogue.hpp, sorted by key. Included by catalogue.cpp only.
#pragma once

#include "observe/catalogue.hpp"

namespace facteur::observe {

inline constexpr Phrase all_phrases[] = {
    {"account.added", "{} has an account here now", "{} a maintenant un compte ici"},
    {"account.disabled", "disabled", "désactivé"},
    {"account.none", "No accounts yet: facteur account add ADDRESS",
     "Aucun compte pour l'instant : facteur account add ADRESSE"},
    {"ask.password", "Password for {}: ", "Mot de passe de {} : "},
    {"ask.password_again", "The same again: ", "Encore une fois : "},
    {"config.bad", "{} problem(s); nothing was changed", "{} problème(s) ; rien n'a été modifié"},
    {"config.good", "{} is good", "{} est correct"},
    {"config.unknown", "There is no option {}", "L'option {} n'existe pas"},
    {"config.unknown_near", "There is no option {}; did you mean {}?",
     "L'option {} n'existe pas ; vouliez-vous dire {} ?"},
    {"done", "Done", "Fait"},
    {"error.busy", "Another process has {} open, but its control socket does not answer",
     "Un autre processus utilise {}, mais sa prise de contrôle ne répond pas"},
    {"error.empty_password", "The password is empty", "Le mot de passe est vide"},
    {"error.exists", "{} exists already; nothing was written", "{} existe déjà ; rien n'a été écrit"},
    {"error.not_running", "No server is running on {}", "Aucun serveur ne tourne sur {}"},
    {"error.passwords_differ", "The two passwords differ", "Les deux mots de passe diffèrent"},
    {"error.read", "{} cannot be read", "{} ne peut pas être lu"},
    {"error.write", "{} cannot be written", "{} ne peut pas être écrit"},
    {"init.next", "Next: facteur account add {} -c {}, then: facteur serve -c {}",
     "Ensuite : facteur account add {} -c {}, puis : facteur serve -c {}"},
    {"init.written", "{} is written", "{} est écrit"},
    {"queue.empty", "The queue is empty", "La file d'attente est vide"},
    {"serve.drained", "Stopped", "Arrêté"},
    {"serve.draining", "Stopping: no new connections, {} open ones get {} to end",
     "Arrêt : plus de nouvelles connexions, {} en cours ont {} pour finir"},
};

}  // namespace facteur::observe
