"""What the pages say, in the customer's language."""

# ruff: noqa: RUF001 - each language has its own marks

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Wording(NamedTuple):
    """The texts of the pages in one language; plain text, escaped where it is used.

    Attributes:
        unsubscribe: A title, and on a button.
        unsubscribe_ask: Above that button.
        everything: On the button that unsubscribes from all there is.
        unsubscribed: A title, when that is done.
        unsubscribed_from: Above what it was.
        gone: The same, if it was everything.
        still: What may come all the same.
        to_preferences: A link to the preferences.
        preferences: A title.
        preferences_ask: Above the choices.
        all_messages: Names the choices where there are no topics.
        save: On a button.
        saved: When that is done.
        off: When the customer is unsubscribed from everything.
        pending: Beside a choice that is not confirmed yet.
        confirm: A title.
        confirm_ask: Above the button.
        confirm_yes: On the button.
        confirmed: A title, when that is done.
        unasked: A title, when nothing waits to be confirmed.
        unasked_hint: What that may mean.
        broken: A title: a link isn't whole.
        broken_hint: What to do then.
        expired: A title: a link's time is over.
        expired_hint: What to do then.
        trouble: A title: something is wrong here.
        trouble_hint: What to do then.
        topic: Stands before a topic's name.
        channel: Stands before a channel's name.
        channels: What channels are called; others go by their own names.
    """

    unsubscribe: str
    unsubscribe_ask: str
    everything: str
    unsubscribed: str
    unsubscribed_from: str
    gone: str
    still: str
    to_preferences: str
    preferences: str
    preferences_ask: str
    all_messages: str
    save: str
    saved: str
    off: str
    pending: str
    confirm: str
    confirm_ask: str
    confirm_yes: str
    confirmed: str
    unasked: str
    unasked_hint: str
    broken: str
    broken_hint: str
    expired: str
    expired_hint: str
    trouble: str
    trouble_hint: str
    topic: str
    channel: str
    channels: Mapping[str, str]

    def channel_name(self, channel: str) -> str:
        """What people call a channel."""
        return self.channels.get(channel) or channel[:1].upper() + channel[1:]


_OWN_NAMES = {"whatsapp": "WhatsApp", "sms": "SMS", "slack": "Slack"}

WORDING: Mapping[str, Wording] = MappingProxyType(
    {
        "en": Wording(
            unsubscribe="Unsubscribe",
            unsubscribe_ask="Do you no longer want to get these messages?",
            everything="Unsubscribe from everything",
            unsubscribed="You are unsubscribed",
            unsubscribed_from="You will no longer get:",
            gone="You will get no news or offers from us any more.",
            still="Messages that you need, such as about an order or your account, may still come.",
            to_preferences="Choose what you get",
            preferences="Your preferences",
            preferences_ask="What would you like to hear about, and how?",
            all_messages="News and offers",
            save="Save",
            saved="Your preferences are saved.",
            off="You are unsubscribed from everything. Tick what you would like to get again.",
            pending="not confirmed yet",
            confirm="Please confirm",
            confirm_ask="Would you like to get messages from us?",
            confirm_yes="Yes, I would",
            confirmed="Thank you, that is confirmed",
            unasked="There is nothing to confirm",
            unasked_hint="Nothing was changed: nobody asked for this, or you have "
            "unsubscribed since. You can choose what you get.",
            broken="This link does not work",
            broken_hint="It may not be whole. Open it from the message itself.",
            expired="This link is too old",
            expired_hint="Open the link in a newer message.",
            trouble="Something is wrong on our side",
            trouble_hint="Nothing was changed. Please try again in a minute.",
            topic="Topic",
            channel="Channel",
            channels={
                **_OWN_NAMES,
                "email": "E-mail",
                "push": "Notifications on your phone",
                "inapp": "Messages in the app",
            },
        ),
        "de": Wording(
            unsubscribe="Abmelden",
            unsubscribe_ask="Möchten Sie diese Nachrichten nicht mehr bekommen?",
            everything="Von allem abmelden",
            unsubscribed="Sie sind abgemeldet",
            unsubscribed_from="Sie bekommen nicht mehr:",
            gone="Sie bekommen keine Neuigkeiten und Angebote mehr von uns.",
            still="Nachrichten, die Sie brauchen, etwa zu einer Bestellung oder Ihrem Konto, können weiterhin kommen.",
            to_preferences="Auswählen, was Sie bekommen",
            preferences="Ihre Einstellungen",
            preferences_ask="Wovon möchten Sie hören, und wie?",
            all_messages="Neuigkeiten und Angebote",
            save="Speichern",
            saved="Ihre Einstellungen sind gespeichert.",
            off="Sie sind von allem abgemeldet. Kreuzen Sie an, was Sie wieder bekommen möchten.",
            pending="noch nicht bestätigt",
            confirm="Bitte bestätigen",
            confirm_ask="Möchten Sie Nachrichten von uns bekommen?",
            confirm_yes="Ja, das möchte ich",
            confirmed="Danke, das ist bestätigt",
            unasked="Es gibt nichts zu bestätigen",
            unasked_hint="Es wurde nichts geändert: Niemand hat darum gebeten, oder Sie "
            "haben sich inzwischen abgemeldet. Sie können wählen, was Sie "
            "bekommen.",
            broken="Dieser Link funktioniert nicht",
            broken_hint="Vielleicht ist er nicht vollständig. Öffnen Sie ihn aus der Nachricht selbst.",
            expired="Dieser Link ist zu alt",
            expired_hint="Öffnen Sie den Link in einer neueren Nachricht.",
            trouble="Bei uns stimmt etwas nicht",
            trouble_hint="Es wurde nichts geändert. Bitte versuchen Sie es in einer Minute noch einmal.",
            topic="Thema",
            channel="Weg",
            channels={
                **_OWN_NAMES,
                "email": "E-Mail",
                "push": "Mitteilungen auf dem Telefon",
                "inapp": "Nachrichten in der App",
            },
        ),
        "fr": Wording(
            unsubscribe="Se désabonner",
            unsubscribe_ask="Ne souhaitez-vous plus recevoir ces messages ?",
            everything="Se désabonner de tout",
            unsubscribed="Vous êtes désabonné(e)",
            unsubscribed_from="Vous ne recevrez plus :",
            gone="Vous ne recevrez plus ni actualités ni offres de notre part.",
            still="Vous pourrez encore recevoir les messages nécessaires, par exemple au sujet d’une commande ou de votre compte.",
            to_preferences="Choisir ce que vous recevez",
            preferences="Vos préférences",
            preferences_ask="De quoi souhaitez-vous être informé(e), et comment ?",
            all_messages="Actualités et offres",
            save="Enregistrer",
            saved="Vos préférences sont enregistrées.",
            off="Vous êtes désabonné(e) de tout. Cochez ce que vous souhaitez recevoir à nouveau.",
            pending="pas encore confirmé",
            confirm="Veuillez confirmer",
            confirm_ask="Souhaitez-vous recevoir nos messages ?",
            confirm_yes="Oui, je le souhaite",
            confirmed="Merci, c’est confirmé",
            unasked="Il n’y a rien à confirmer",
            unasked_hint="Rien n’a été modifié : personne ne l’a demandé, ou vous vous êtes "
            "désabonné(e) depuis. Vous pouvez choisir ce que vous recevez.",
            broken="Ce lien ne fonctionne pas",
            broken_hint="Il est peut-être incomplet. Ouvrez-le depuis le message lui-même.",
            expired="Ce lien est trop ancien",
            expired_hint="Ouvrez le lien d’un message plus récent.",
            trouble="Un problème est survenu de notre côté",
            trouble_hint="Rien n’a été modifié. Veuillez réessayer dans une minute.",
            topic="Sujet",
            channel="Canal",
            channels={
                **_OWN_NAMES,
                "email": "E-mail",
                "push": "Notifications sur votre téléphone",
                "inapp": "Messages dans l’application",
            },
        ),
        "es": Wording(
            unsubscribe="Darse de baja",
            unsubscribe_ask="¿Ya no quiere recibir estos mensajes?",
            everything="Darse de baja de todo",
            unsubscribed="Se ha dado de baja",
            unsubscribed_from="Ya no recibirá:",
            gone="Ya no recibirá novedades ni ofertas nuestras.",
            still="Es posible que siga recibiendo mensajes necesarios, por ejemplo sobre un pedido o su cuenta.",
            to_preferences="Elegir qué recibe",
            preferences="Sus preferencias",
            preferences_ask="¿Sobre qué quiere recibir información, y cómo?",
            all_messages="Novedades y ofertas",
            save="Guardar",
            saved="Sus preferencias se han guardado.",
            off="Se ha dado de baja de todo. Marque lo que quiera volver a recibir.",
            pending="aún sin confirmar",
            confirm="Confirme, por favor",
            confirm_ask="¿Quiere recibir nuestros mensajes?",
            confirm_yes="Sí, quiero",
            confirmed="Gracias, está confirmado",
            unasked="No hay nada que confirmar",
            unasked_hint="No se ha cambiado nada: nadie lo ha pedido o se ha dado de baja "
            "desde entonces. Puede elegir lo que recibe.",
            broken="Este enlace no funciona",
            broken_hint="Puede que no esté completo. Ábralo desde el propio mensaje.",
            expired="Este enlace es demasiado antiguo",
            expired_hint="Abra el enlace de un mensaje más reciente.",
            trouble="Ha habido un problema por nuestra parte",
            trouble_hint="No se ha cambiado nada. Vuelva a intentarlo en un minuto.",
            topic="Tema",
            channel="Canal",
            channels={
                **_OWN_NAMES,
                "email": "Correo electrónico",
                "push": "Notificaciones en su teléfono",
                "inapp": "Mensajes en la aplicación",
            },
        ),
        "it": Wording(
            unsubscribe="Annulla l’iscrizione",
            unsubscribe_ask="Non desidera più ricevere questi messaggi?",
            everything="Annulla tutte le iscrizioni",
            unsubscribed="Iscrizione annullata",
            unsubscribed_from="Non riceverà più:",
            gone="Non riceverà più novità né offerte da parte nostra.",
            still="Potrebbe ricevere ancora i messaggi necessari, ad esempio su un ordine o sul suo account.",
            to_preferences="Scelga che cosa ricevere",
            preferences="Le sue preferenze",
            preferences_ask="Di che cosa desidera essere informato, e come?",
            all_messages="Novità e offerte",
            save="Salva",
            saved="Le sue preferenze sono state salvate.",
            off="Ha annullato tutte le iscrizioni. Selezioni ciò che desidera ricevere di nuovo.",
            pending="non ancora confermato",
            confirm="Confermi, per favore",
            confirm_ask="Desidera ricevere i nostri messaggi?",
            confirm_yes="Sì, lo desidero",
            confirmed="Grazie, è confermato",
            unasked="Non c’è nulla da confermare",
            unasked_hint="Non è stato modificato nulla: nessuno l’ha richiesto, oppure nel "
            "frattempo ha annullato l’iscrizione. Può scegliere cosa ricevere.",
            broken="Questo link non funziona",
            broken_hint="Forse non è completo. Lo apra dal messaggio stesso.",
            expired="Questo link è troppo vecchio",
            expired_hint="Apra il link in un messaggio più recente.",
            trouble="C’è un problema da parte nostra",
            trouble_hint="Non è stato modificato nulla. Riprovi tra un minuto.",
            topic="Argomento",
            channel="Canale",
            channels={
                **_OWN_NAMES,
                "email": "E-mail",
                "push": "Notifiche sul telefono",
                "inapp": "Messaggi nell’app",
            },
        ),
        "pt": Wording(
            unsubscribe="Cancelar a subscrição",
            unsubscribe_ask="Já não quer receber estas mensagens?",
            everything="Cancelar todas as subscrições",
            unsubscribed="A subscrição foi cancelada",
            unsubscribed_from="Deixará de receber:",
            gone="Deixará de receber novidades e ofertas nossas.",
            still="Poderá continuar a receber mensagens necessárias, por exemplo sobre uma encomenda ou a sua conta.",
            to_preferences="Escolher o que recebe",
            preferences="As suas preferências",
            preferences_ask="Sobre o que quer receber informações, e como?",
            all_messages="Novidades e ofertas",
            save="Guardar",
            saved="As suas preferências foram guardadas.",
            off="Cancelou todas as subscrições. Assinale o que quer voltar a receber.",
            pending="ainda por confirmar",
            confirm="Confirme, por favor",
            confirm_ask="Quer receber mensagens nossas?",
            confirm_yes="Sim, quero",
            confirmed="Obrigado, está confirmado",
            unasked="Não há nada para confirmar",
            unasked_hint="Nada foi alterado: ninguém o pediu, ou a subscrição foi cancelada "
            "entretanto. Pode escolher o que recebe.",
            broken="Esta ligação não funciona",
            broken_hint="Pode não estar completa. Abra-a a partir da própria mensagem.",
            expired="Esta ligação é demasiado antiga",
            expired_hint="Abra a ligação numa mensagem mais recente.",
            trouble="Houve um problema do nosso lado",
            trouble_hint="Nada foi alterado. Tente novamente dentro de um minuto.",
            topic="Tema",
            channel="Canal",
            channels={
                **_OWN_NAMES,
                "email": "E-mail",
                "push": "Notificações no telemóvel",
                "inapp": "Mensagens na aplicação",
            },
        ),
        "nl": Wording(
            unsubscribe="Afmelden",
            unsubscribe_ask="Wilt u deze berichten niet meer ontvangen?",
            everything="Voor alles afmelden",
            unsubscribed="U bent afgemeld",
            unsubscribed_from="U ontvangt niet meer:",
            gone="U ontvangt geen nieuws en aanbiedingen meer van ons.",
            still="Berichten die u nodig hebt, bijvoorbeeld over een bestelling of uw account, kunnen nog wel komen.",
            to_preferences="Kiezen wat u ontvangt",
            preferences="Uw voorkeuren",
            preferences_ask="Waarover wilt u iets horen, en hoe?",
            all_messages="Nieuws en aanbiedingen",
            save="Opslaan",
            saved="Uw voorkeuren zijn opgeslagen.",
            off="U bent voor alles afgemeld. Kruis aan wat u weer wilt ontvangen.",
            pending="nog niet bevestigd",
            confirm="Bevestig dit",
            confirm_ask="Wilt u berichten van ons ontvangen?",
            confirm_yes="Ja, graag",
            confirmed="Bedankt, dat is bevestigd",
            unasked="Er valt niets te bevestigen",
            unasked_hint="Er is niets gewijzigd: niemand heeft hierom gevraagd, of u hebt "
            "zich intussen afgemeld. U kunt kiezen wat u ontvangt.",
            broken="Deze link werkt niet",
            broken_hint="Misschien is hij niet volledig. Open hem vanuit het bericht zelf.",
            expired="Deze link is te oud",
            expired_hint="Open de link in een nieuwer bericht.",
            trouble="Er ging bij ons iets mis",
            trouble_hint="Er is niets gewijzigd. Probeer het over een minuut opnieuw.",
            topic="Onderwerp",
            channel="Kanaal",
            channels={
                **_OWN_NAMES,
                "email": "E-mail",
                "push": "Meldingen op uw telefoon",
                "inapp": "Berichten in de app",
            },
        ),
        "pl": Wording(
            unsubscribe="Wypisz się",
            unsubscribe_ask="Nie chcesz już otrzymywać tych wiadomości?",
            everything="Wypisz się ze wszystkiego",
            unsubscribed="Wypisano z subskrypcji",
            unsubscribed_from="Nie będziesz już otrzymywać:",
            gone="Nie będziesz już otrzymywać od nas nowości ani ofert.",
            still="Nadal możesz dostawać potrzebne wiadomości, na przykład o zamówieniu lub koncie.",
            to_preferences="Wybierz, co otrzymujesz",
            preferences="Twoje ustawienia",
            preferences_ask="O czym chcesz dostawać wiadomości i w jaki sposób?",
            all_messages="Nowości i oferty",
            save="Zapisz",
            saved="Ustawienia zostały zapisane.",
            off="Wypisano ze wszystkiego. Zaznacz, co chcesz znowu otrzymywać.",
            pending="jeszcze niepotwierdzone",
            confirm="Prosimy o potwierdzenie",
            confirm_ask="Czy chcesz otrzymywać od nas wiadomości?",
            confirm_yes="Tak, chcę",
            confirmed="Dziękujemy, potwierdzono",
            unasked="Nie ma nic do potwierdzenia",
            unasked_hint="Nic nie zostało zmienione: nikt o to nie prosił albo subskrypcja "
            "została w międzyczasie anulowana. Można wybrać, co ma "
            "przychodzić.",
            broken="Ten link nie działa",
            broken_hint="Może być niepełny. Otwórz go w samej wiadomości.",
            expired="Ten link jest za stary",
            expired_hint="Otwórz link w nowszej wiadomości.",
            trouble="Coś poszło nie tak po naszej stronie",
            trouble_hint="Nic nie zmieniono. Spróbuj ponownie za minutę.",
            topic="Temat",
            channel="Kanał",
            channels={
                **_OWN_NAMES,
                "email": "E-mail",
                "push": "Powiadomienia w telefonie",
                "inapp": "Wiadomości w aplikacji",
            },
        ),
        "sv": Wording(
            unsubscribe="Avsluta prenumerationen",
            unsubscribe_ask="Vill du inte längre få de här meddelandena?",
            everything="Avsluta alla prenumerationer",
            unsubscribed="Prenumerationen är avslutad",
            unsubscribed_from="Du får inte längre:",
            gone="Du får inga nyheter och erbjudanden från oss längre.",
            still="Meddelanden som du behöver, till exempel om en beställning eller ditt konto, kan fortfarande komma.",
            to_preferences="Välj vad du får",
            preferences="Dina inställningar",
            preferences_ask="Vad vill du höra om, och hur?",
            all_messages="Nyheter och erbjudanden",
            save="Spara",
            saved="Dina inställningar är sparade.",
            off="Du har avslutat allt. Kryssa i vad du vill få igen.",
            pending="inte bekräftat än",
            confirm="Bekräfta",
            confirm_ask="Vill du få meddelanden från oss?",
            confirm_yes="Ja, det vill jag",
            confirmed="Tack, det är bekräftat",
            unasked="Det finns inget att bekräfta",
            unasked_hint="Inget har ändrats: ingen har bett om det, eller så har du "
            "avslutat prenumerationen sedan dess. Du kan välja vad du får.",
            broken="Länken fungerar inte",
            broken_hint="Den är kanske inte hel. Öppna den från själva meddelandet.",
            expired="Länken är för gammal",
            expired_hint="Öppna länken i ett nyare meddelande.",
            trouble="Något är fel hos oss",
            trouble_hint="Inget ändrades. Försök igen om en minut.",
            topic="Ämne",
            channel="Kanal",
            channels={
                **_OWN_NAMES,
                "email": "E-post",
                "push": "Aviseringar i telefonen",
                "inapp": "Meddelanden i appen",
            },
        ),
        "ar": Wording(
            unsubscribe="إلغاء الاشتراك",
            unsubscribe_ask="هل لم تعد ترغب في تلقي هذه الرسائل؟",
            everything="إلغاء الاشتراك في كل شيء",
            unsubscribed="تم إلغاء اشتراكك",
            unsubscribed_from="لن تتلقى بعد الآن:",
            gone="لن تتلقى منا أخبارًا أو عروضًا بعد الآن.",
            still="قد تستمر في تلقي الرسائل الضرورية، مثل الرسائل المتعلقة بطلب أو بحسابك.",
            to_preferences="اختر ما تتلقاه",
            preferences="تفضيلاتك",
            preferences_ask="ما الذي ترغب في معرفته، وكيف؟",
            all_messages="الأخبار والعروض",
            save="حفظ",
            saved="تم حفظ تفضيلاتك.",
            off="لقد ألغيت اشتراكك في كل شيء. حدّد ما ترغب في تلقيه من جديد.",
            pending="لم يتم التأكيد بعد",
            confirm="يرجى التأكيد",
            confirm_ask="هل ترغب في تلقي رسائل منا؟",
            confirm_yes="نعم، أرغب في ذلك",
            confirmed="شكرًا، تم التأكيد",
            unasked="لا يوجد ما يحتاج إلى تأكيد",
            unasked_hint="لم يتغيّر شيء: لم يطلب أحد ذلك، أو أنك ألغيت اشتراكك منذ ذلك "
            "الحين. يمكنك اختيار ما يصلك.",
            broken="هذا الرابط لا يعمل",
            broken_hint="قد لا يكون كاملًا. افتحه من الرسالة نفسها.",
            expired="هذا الرابط قديم جدًا",
            expired_hint="افتح الرابط في رسالة أحدث.",
            trouble="حدث خطأ لدينا",
            trouble_hint="لم يتغير شيء. يرجى المحاولة مرة أخرى بعد دقيقة.",
            topic="الموضوع",
            channel="القناة",
            channels={
                **_OWN_NAMES,
                "email": "البريد الإلكتروني",
                "push": "إشعارات على هاتفك",
                "inapp": "رسائل في التطبيق",
            },
        ),
    }
)
"""By language, as BCP 47 calls it without script or region."""

RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})

_MOST_LANGUAGES = 20  # of a header; browsers send a handful


def language_for(locale: str, accept_language: str) -> str:
    """Return the language of a page: the message's, the browser's, or English.

    Args:
        locale: The message's, such as `de-CH`; empty if not known.
        accept_language: The header (RFC 9110 §12.5.4).
    """
    for wanted in [locale, *_accepted(accept_language)]:
        language = wanted.replace("_", "-").partition("-")[0].lower()
        if language in WORDING:
            return language
    return "en"


def _accepted(header: str) -> list[str]:
    """The languages of a header, the best first; one with `q=0` isn't wanted."""
    found: list[tuple[float, str]] = []
    for part in header[:500].split(",")[:_MOST_LANGUAGES]:
        name, _, parameters = part.strip().partition(";")
        quality = parameters.strip().removeprefix("q=").strip()
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0:
            found.append((weight, name.strip()))
    return [name for _, name in sorted(found, key=lambda item: -item[0])]
