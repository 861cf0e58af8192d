package journey.bench;

/** The rules of the preset `six-stages` as code: what a touchpoint means, and which stage it leads to. */
final class Stages {
  static final String[] IDS = {"awareness", "consideration", "decision", "purchase", "retention", "advocacy"};

  static final int REACHED = 1;
  static final int ENGAGEMENT = 2;
  static final int INTEREST = 4;
  static final int LEAD = 8;
  static final int INTENT = 16;
  static final int PURCHASE = 32;
  static final int COUPON = 64;
  static final int PART = 128;
  static final int RECOMMENDATION = 256;

  static final long DAY = 86_400_000L;
  static final long KEEP = 90 * DAY;

  /** The rule that fired, the stage that it leads to, and when. */
  record Move(String rule, int to, long at, String cause) {}

  /** For the stages from consideration on: how long a silence, of what, leads back to which stage. */
  private record Silence(String rule, long nothingFor, int of, int to) {}

  private static final Silence[] SILENCES = {
    null,
    new Silence("lost-interest", 30 * DAY, ENGAGEMENT, 0),
    new Silence("order-abandoned", 14 * DAY, ENGAGEMENT, 1),
    new Silence("customer-gone-quiet", 90 * DAY, ENGAGEMENT, 1),
    new Silence("regular-stopped-buying", 45 * DAY, PURCHASE, 3),
    new Silence("advocate-gone-quiet", 120 * DAY, PART, 4),
  };

  private Stages() {}

  static int meaningOf(Touchpoint touchpoint) {
    return switch (touchpoint.channel() + "/" + touchpoint.type()) {
      case "email/sent" -> REACHED;
      case "email/opened", "web/page_view" -> ENGAGEMENT;
      case "email/clicked", "web/product_view", "web/search", "store/visit" -> ENGAGEMENT | INTEREST;
      case "web/add_to_cart", "web/checkout_started", "crm/quote_requested" -> ENGAGEMENT | INTENT;
      case "web/purchase", "store/purchase" -> ENGAGEMENT | PURCHASE;
      case "store/coupon_redeemed" -> ENGAGEMENT | COUPON | PART;
      case "crm/lead_created" -> ENGAGEMENT | LEAD;
      case "survey/referral" -> ENGAGEMENT | PART | RECOMMENDATION;
      case "survey/review_posted" -> ENGAGEMENT | PART | (scoreOf(touchpoint) >= 4 ? RECOMMENDATION : 0);
      default -> 0;
    };
  }

  private static int scoreOf(Touchpoint touchpoint) {
    return ((Number) touchpoint.properties().get("score")).intValue();
  }

  /** The move that was due before `at` because nothing happened, noticed only now; null for none. */
  static Move silence(Customer customer, long at) {
    if (customer.stage < 1) {
      return null;
    }
    Silence silence = SILENCES[customer.stage];
    if (customer.enteredAt + silence.nothingFor >= at) {
      return null;
    }
    long due = Math.max(customer.last(silence.of), customer.enteredAt) + silence.nothingFor;
    return due < at ? new Move(silence.rule, silence.to, due, "timer") : null;
  }

  /** The first rule in order of priority that fires for a touchpoint just added; null for none. */
  static Move decide(Customer customer, int meaning, long at) {
    int stage = customer.stage;
    if ((meaning & RECOMMENDATION) != 0 && stage >= 3 && stage < 5) {
      return touched("recommends-us", 5, at);
    }
    if (stage == 4 && customer.count(COUPON, at, 90 * DAY) >= 3 && customer.count(PURCHASE, at, 90 * DAY) >= 12) {
      return touched("engaged-regular", 5, at);
    }
    if (stage == 3 && customer.count(PURCHASE, at, 60 * DAY) >= 3) {
      return touched("repeat-purchase", 4, at);
    }
    if (stage < 3 && (meaning & PURCHASE) != 0) {
      return touched("bought", 3, at);
    }
    if (stage < 2 && (meaning & INTENT) != 0) {
      return touched("shows-intent", 2, at);
    }
    if (stage < 1 && ((meaning & LEAD) != 0 || customer.count(INTEREST, at, 14 * DAY) >= 3)) {
      return touched("looks-closer", 1, at);
    }
    return stage < 0 && (meaning & (ENGAGEMENT | REACHED)) != 0 ? touched("first-contact", 0, at) : null;
  }

  private static Move touched(String rule, int to, long at) {
    return new Move(rule, to, at, "touchpoint");
  }
}
